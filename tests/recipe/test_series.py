"""Series of numbers: windows, splits in time, and the user's own CSV file."""

import re

import numpy as np
import pytest

from kcatalog.recipe.data import Series, series_file
from kcatalog.recipe.data.series import MOST_WINDOWS, SeriesDetails, every, find_season, windows
from kcatalog.recipe.tasks import baselines
from kcatalog.recipe.tasks.forecast import last_season
from kcatalog.recipe.terminal.errors import RecipeError

WAVE = [10 + 3 * np.sin(2 * np.pi * n / 24) + 0.01 * n for n in range(600)]
SMALL = Series(horizon=6, window=12)


def csv(folder, text, name="series.csv"):
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture
def wave(tmp_path):
    return csv(tmp_path, "\n".join(["day,demand", *(f"d{n},{v}" for n, v in enumerate(WAVE))]))


# --- windows and split --------------------------------------------------------------------


def test_taylor_is_held_out_at_the_end():
    from pmdarima.datasets import load_taylor

    data, values = Series().load(seed=0), load_taylor().astype("float32")
    assert Series().load(seed=1).fingerprint == data.fingerprint
    assert data.details == SeriesDetails(season=336)
    assert find_season(values[:3024]) == 336
    assert Series(season=48).load().details.season == 48
    x, y = data.test
    assert y.shape == (672 - 47, 48)
    assert np.array_equal(y[0], values[-672:][:48])
    assert np.array_equal(y[-1], values[-48:])
    assert np.array_equal(x[-1], values[-48 - x.shape[1] : -48])


def test_no_target_is_in_two_parts():
    from pmdarima.datasets import load_taylor

    data, values, spans = Series(window=48).load(), load_taylor().astype("float32"), []
    for x, y in (data.train, data.validation, data.test):
        at = [n for n in range(len(values) - 47) if np.array_equal(values[n : n + 48], y[0])][-1]
        assert np.array_equal(values[at - x.shape[1] : at], x[0])
        spans.append((at, at + len(x) + 47))
    assert spans == [(336 + 48, 3024), (3024, 3360), (3360, 4032)]


def test_of_long_series_windows_are_left_out():
    values = np.arange(3.0 * MOST_WINDOWS)
    x, y = windows(values, history=4, horizon=2, first=4, end=len(values))
    assert MOST_WINDOWS / 2 < len(x) <= MOST_WINDOWS
    assert np.array_equal(y[:, 0], x[:, -1] + 1)
    assert np.array_equal(np.diff(x[:, 0]), np.full(len(x) - 1, every(len(values) - 4, 2)))
    assert len(y) == len(x)


def test_a_short_series_gets_shorter_windows():
    season = np.tile(np.sin(np.arange(24) / 24 * 2 * np.pi), 50)  # 1,200 numbers
    for window, left in ((672, 336), (336, 336), (10_000, 312)):
        data = Series(window=window, season=24)._data("short", series_file.plain(season))
        assert data.input_shape == (24 + left,)


# --- season -------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_the_season_is_found(noise):
    values = np.array(WAVE) + noise * np.random.default_rng(0).normal(size=len(WAVE))
    assert find_season(values) == 24
    assert find_season(np.arange(100.0)) == 1


# --- one's own file -----------------------------------------------------------------------


def test_the_only_column_of_numbers_is_taken(wave):
    data = SMALL.load(wave)
    assert data.name == "series.csv"
    assert data.task == "forecast"
    assert np.isclose(data.test[1][-1, -1], WAVE[-1])
    assert data.test[0].dtype == data.test[1].dtype == np.float32
    assert SMALL.load(f"{wave}:demand").fingerprint != data.fingerprint  # facts name the column
    assert np.array_equal(SMALL.load(f"{wave}:demand").test[0], data.test[0])


def test_a_column_is_named_behind_a_colon_or_by_an_option_once(tmp_path):
    rows = "\n".join(f"{v},{2 * v}" for v in WAVE)
    file, bare = csv(tmp_path, "a,b\n" + rows), csv(tmp_path, rows, "bare.csv")
    for data in (f"{file}:b", f"{bare}:2"):
        assert np.isclose(SMALL.load(data).test[1][-1, -1], 2 * WAVE[-1])
    named = Series(horizon=6, window=12, column="a")
    assert np.isclose(named.load(file).test[1][-1, -1], WAVE[-1])
    assert named.load(file).details.column == "a"
    with pytest.raises(RecipeError, match=r"said once. Received: 'b' with --data and 'a' with"):
        named.load(f"{file}:b")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must be a CSV file, a line per step. Received: an empty file"),
        ("day\nmonday\ntuesday\n", "must have a column of numbers. Received: 'day'"),
        ("1,2\n3\n4,5,6\n", "a finite number in column '1' of every line. Received: '4,5,6'"),
        ("\n".join(map(str, WAVE[:20])), r"must hold \d+ numbers at least.*Received: 20"),
        ("1\n2\n3", r"must hold 24 numbers at least.*Received: 3\."),
        ("\n".join(["5"] * 600), "must hold different numbers to learn from. Received: 5 in all"),
        (
            "\n".join(map(str, [*WAVE[:500], *[0.0] * 100])),
            "different numbers to test with. Received: 0 in all",
        ),
    ],
)
def test_files_that_cannot_be_learned_from(tmp_path, text, reason):
    with pytest.raises(RecipeError, match=reason) as caught:
        SMALL.load(csv(tmp_path, text))
    assert "\n" not in str(caught.value)
    with pytest.raises(RecipeError, match=r"cannot be read: Is a directory"):
        SMALL.load(tmp_path)


def test_files_to_predict_give_their_end(wave, tmp_path):
    info = SMALL.load(wave).info
    x = SMALL.read([wave], info)
    assert x.shape == (1, 36)
    assert np.allclose(x[0], WAVE[-36:])
    short = csv(tmp_path, "1\n2\n3\n", "short.csv")
    with pytest.raises(RecipeError, match=r"short\.csv must hold 36 numbers at least.*Received: 3"):
        SMALL.read([short], info)


# --- short series, dates and gaps ---------------------------------------------------------


def daily(folder, count, **columns):
    """Write a file of daily values that repeat weekly; a date in every line."""
    days = np.datetime64("2023-01-01") + np.arange(count)
    values = 50 + np.arange(count) % 7 + np.random.default_rng(0).normal(size=count) / 5
    return csv(folder, "\n".join(["day,sold", *map("{},{}".format, days, values.round(3))]))


def test_two_years_of_days_are_enough_for_the_window_of_four_weeks_of_half_hours(tmp_path):
    file = daily(tmp_path, 731)
    data = Series(horizon=48, window=672).load(file)
    said = {each.about: each for each in data.findings}
    assert said["dates"].text == "2023-01-01 to 2024-12-31, 731 steps of 1 day"
    assert said["season"].text == "7 steps, found in the data"
    assert said["window"].text == "168 steps instead of 672, as the series has 731"
    assert said["window"].warning
    parts = "train from 2023-06-25, validate from 2024-07-04, test from 2024-09-02"
    assert said["parts"].text == parts
    assert (data.details.step, data.details.start) == ("1 day", "2024-09-02")
    assert data.settings == {"season": 7, "window": 168, "horizon": 48}
    again = Series(horizon=48, window=672).configured(data.settings).load(file)
    assert again.fingerprint == data.fingerprint
    yearly = Series(horizon=48, window=672, season=365).load(file)
    assert yearly.input_shape == (365 + 84,)


def test_two_years_of_months_get_a_shorter_horizon(tmp_path):
    months = np.arange("2023-01", "2025-01", dtype="datetime64[M]")
    file = csv(tmp_path, "\n".join(["month,sold", *(f"{m},{n % 5}" for n, m in enumerate(months))]))
    data = Series(horizon=48, window=672).load(file)
    said = {each.about: each.text for each in data.findings}
    assert said["horizon"] == "2 steps instead of 48, as the series has 24"
    assert data.test[1].shape[1] == 2


def test_a_season_that_does_not_fit_is_refused_with_the_way_out(tmp_path):
    file = daily(tmp_path, 400)
    with pytest.raises(RecipeError, match=r"such as --season 1\.") as refused:
        Series(horizon=7, window=28, season=365).load(file)
    assert Series(horizon=7, window=28, season=1).load(file).details.season == 1
    needed = int(re.search(r"must hold (\d+) numbers", str(refused.value))[1])
    longer = daily(tmp_path, needed)
    assert Series(horizon=7, window=28, season=365).load(longer).details.season == 365


def test_forecasts_of_a_file_with_dates_have_dates(tmp_path):
    file = daily(tmp_path, 400)
    source = Series(horizon=3, window=28)
    info = source.load(file).info
    assert source.notes([file], info) == [{"dates": ["2024-02-05", "2024-02-06", "2024-02-07"]}]
    bare = csv(tmp_path, "\n".join(map(str, WAVE)), "bare.csv")
    assert source.notes([bare], info) == [{}]
    assert source.read([bare], info).shape == (1, 35)
    hours = np.datetime64("2024-01-01T00") + np.arange(400)
    rows = [f"{h},{n % 24}" for n, h in enumerate(hours)]
    hourly = csv(tmp_path, "\n".join(["hour,sold", *rows]), "hourly.csv")
    with pytest.raises(RecipeError, match=r"must have steps of 1 day.*Received: steps of 1 hour"):
        source.read([hourly], info)
    lines = file.read_text().splitlines()
    gap = csv(tmp_path, "\n".join([*lines[:390], *lines[391:]]), "gap.csv")
    with pytest.raises(RecipeError, match=r"Complete the file\."):
        source.read([gap], info)
    assert Series(horizon=3, window=28, fill="linear").read([gap], info).shape == (1, 35)


# --- baseline -----------------------------------------------------------------------------


def test_last_season_wraps_where_the_horizon_is_longer(wave):
    data = Series(horizon=6, window=12, season=4).load(wave)
    history = np.arange(16.0)[None]
    assert last_season(data, history).tolist() == [[12, 13, 14, 15, 12, 13]]


def test_ridge_agrees_with_the_normal_equations(wave):
    """The difference to the season before is known from it here, up to the penalty."""
    name, error = baselines.ridge(SMALL.load(wave))
    assert name == "ridge regression"
    assert error < 0.1
    rng = np.random.default_rng(0)
    rough = csv(wave.parent, "\n".join(str(v + rng.normal()) for v in WAVE), "rough.csv")
    data = Series(horizon=6, window=12, season=24).load(rough)
    _, error = baselines.ridge(data)
    before = last_season(data, data.test[0])
    naive = 100 * np.mean(np.abs(before - data.test[1]) / data.test[1])
    by_hand = min(_by_hand(data, penalty) for penalty in (0.1, 1, 10, 100, 1000))
    assert by_hand <= error + 1e-4
    assert any(np.isclose(error, _by_hand(data, p), rtol=1e-3) for p in (0.1, 1, 10, 100, 1000))
    assert error < naive


def _by_hand(data, penalty):
    season = data.details.season
    scale = np.std(data.train[1] - last_season(data, data.train[0]))
    parts = [
        np.concatenate(a).astype("float64") for a in zip(data.train, data.validation, strict=True)
    ]

    def differences(x):
        return (x[:, season:] - x[:, :-season]) / scale

    D, T = differences(parts[0]), (parts[1] - last_season(data, parts[0])) / scale
    Dm, Tm = D.mean(axis=0), T.mean(axis=0)
    A = (D - Dm).T @ (D - Dm) + penalty * np.eye(D.shape[1])
    W = np.linalg.solve(A, (D - Dm).T @ (T - Tm))
    x, y = data.test
    forecast = last_season(data, x) + scale * ((differences(x) - Dm) @ W + Tm)
    return 100 * np.mean(np.abs(forecast - y) / np.abs(y))


def test_numbers_to_predict_are_read_as_those_of_the_training(tmp_path):
    """Alone, 2.500 would be 2.5."""
    values = [f"{1000 + 31 * (i % 12):,}".replace(",", ".") + ",5 kg" for i in range(200)]
    data = SMALL.load(csv(tmp_path, "\n".join(["sold", *(f'"{v}"' for v in values)])))
    asked = csv(tmp_path, "\n".join(["sold", *["2.500 kg"] * data.input_shape[0]]))
    assert np.unique(SMALL.read([asked], data.info)).tolist() == [2500.0]
    asked = csv(tmp_path, "\n".join(["sold", *["2500 g"] * data.input_shape[0]]))
    with pytest.raises(RecipeError, match=r"numbers in kg.*Received: g\. Convert them"):
        SMALL.read([asked], data.info)
