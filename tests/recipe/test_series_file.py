"""Series in files as people and programs write them: order, dates, gaps, numbers, separators."""

import numpy as np
import pandas as pd
import pytest

from kcatalog.recipe.data import series_file
from kcatalog.recipe.terminal.errors import RecipeError

DAYS = [str(day.date()) for day in pd.date_range("2024-01-27", periods=40)]
SOLD = [100 + 7 * (n % 7) + 0.5 * n for n in range(40)]


def read(folder, lines, **how):
    file = folder / "sold.csv"
    file.write_bytes("\n".join(lines).encode())
    series = series_file.read(file, **how)
    return series, {each.about: each.text for each in series.findings}


def dated(days=DAYS, sold=SOLD, header="day,sold"):
    return [header, *(f"{d},{s}" for d, s in zip(days, sold, strict=True))]


def refused(folder, lines, **how):
    with pytest.raises(RecipeError) as caught:
        read(folder, lines, **how)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- time ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("freq", "form", "step"),
    [
        ("D", "%d/%m/%Y", "1 day"),
        ("D", "%m/%d/%Y", "1 day"),
        ("MS", "%m/%d/%Y", "1 month"),  # 01/02 is no second day of January here
        ("MS", "%Y-%m", "1 month"),
        ("MS", "%b %Y", "1 month"),
        ("QS", "%YQ%q", "3 months"),
        ("ME", "%Y-%m-%d", "1 month end"),
        ("D", "%Y%m%d", "1 day"),
        ("h", "%d.%m.%Y %H:%M", "1 hour"),
        ("30min", "%Y-%m-%dT%H:%M:%SZ", "30 minutes"),
        ("B", "%Y-%m-%d", "1 business day"),
    ],
)
def test_dates_are_read_as_they_are_written(tmp_path, freq, form, step):
    days = pd.date_range("2023-01-31" if freq == "ME" else "2023-01-02", periods=40, freq=freq)
    series, _ = read(
        tmp_path, dated(days.to_period("Q").astype(str) if "%q" in form else days.strftime(form))
    )
    assert series.step == step
    expected = days if "%d" in form else days.to_period("M")
    got = series.days.to_period("M") if expected is not days else series.days
    assert (got == expected).all()


def test_date_and_time_may_stand_in_two_columns(tmp_path):
    hours = pd.date_range("2024-01-01", periods=40, freq="h")
    rows = [f"{h:%d/%m/%Y};{h:%H:%M:%S};{s}" for h, s in zip(hours, SOLD, strict=True)]
    series, said = read(tmp_path, ["Date;Time;Power", *rows])
    assert (series.days == hours).all()
    assert said["columns"] == "'Power' is forecast"


def test_lines_out_of_order_are_sorted_where_their_dates_are_whole(tmp_path):
    lines = dated()
    lines[5], lines[20] = lines[20], lines[5]
    series, said = read(tmp_path, lines)
    assert series.values.tolist() == SOLD
    assert "line 7 goes back" in said["order"]
    del lines[30]
    sentence = refused(tmp_path, lines)
    assert "must run forward in time. Received: 2024-02-01 in line 7, behind 2024-02-15" in sentence


def test_dates_that_occur_twice(tmp_path):
    lines = dated()
    series, said = read(tmp_path, [*lines[:9], lines[8], *lines[9:]])
    assert series.values.tolist() == SOLD
    assert said["duplicates"] == "left out: 1 of the same date and number"
    sentence = refused(tmp_path, [*lines[:9], f"{DAYS[7]},5", *lines[9:]])
    assert "2024-02-03 in line 9 and in line 10 with different numbers, and 0 more" in sentence


def test_gaps_are_refused_or_filled(tmp_path):
    lines = dated()
    del lines[11:14]
    sentence = refused(tmp_path, lines)
    assert "Received: 2024-02-09 in line 12, after 2024-02-05; missing: 3 in 1 gap." in (sentence)
    for fill in series_file.FILLS:
        assert f"--fill {fill}" in sentence
    series, said = read(tmp_path, lines, fill="linear")
    assert (
        series.values[10:13].tolist()
        == np.interp([10, 11, 12], [9, 13], [SOLD[9], SOLD[13]]).tolist()
    )
    assert (series.days == pd.to_datetime(DAYS)).all()
    assert said["gaps"] == "3 missing values are filled (linear), up to 3 in a row"
    series, _ = read(tmp_path, lines, fill="previous")
    assert series.values[10:13].tolist() == [SOLD[9]] * 3


def test_empty_cells_are_refused_or_filled(tmp_path):
    sold = [str(s) for s in SOLD]
    sold[0], sold[5], sold[6] = "", "NaN", "n/a"
    sentence = refused(tmp_path, dated(sold=sold))
    assert "Received: an empty cell in line 2, and 2 more. Add --fill linear" in sentence
    series, said = read(tmp_path, dated(sold=sold), fill="previous")
    assert series.values[:6].tolist() == [*SOLD[1:5], SOLD[4], SOLD[4]]
    assert said["gaps"].endswith("up to 2 in a row; 1 at the ends are left out")
    assert said["dates"].startswith("2024-01-28 to ")


def test_holidays_in_business_days_are_gaps(tmp_path):
    days = [str(day.date()) for day in pd.bdate_range("2024-01-01", periods=40)]
    lines = dated(days)
    del lines[8]
    assert "equal steps of 1 business day" in refused(tmp_path, lines)
    assert read(tmp_path, lines, fill="previous")[0].values[7] == SOLD[6]


# --- columns ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            dated(),
            {
                "columns": "'sold' is forecast",
                "dates": "2024-01-27 to 2024-03-06, 40 steps of 1 day",
            },
        ),
        (
            ["day,sold,place", *(f"{line},shop {n}" for n, line in enumerate(dated()[1:]))],
            {"columns": "'sold' is forecast; left out: place"},
        ),
        (
            ["sold", *map(str, SOLD)],
            {"dates": "none: lines count as equal steps, forward in time"},
        ),
        (
            dated(DAYS[::-1], SOLD[::-1]),
            {"order": "the file runs backwards in time: it is turned round"},
        ),
    ],
    ids=["dates", "other columns", "no dates", "backwards"],
)
def test_columns_and_dates_are_said(tmp_path, lines, said):
    series, found = read(tmp_path, lines)
    assert series.values.tolist() == SOLD
    assert {about: found[about] for about in said} == said


def test_of_several_number_columns_one_must_be_named(tmp_path):
    rows = [f"{n},{s}" for n, s in enumerate(SOLD, 1)]  # the first is an index
    sentence = refused(tmp_path, ["number,sold", *rows])
    assert "told which. Received: 'number', 'sold'. Name it: --data" in sentence
    assert sentence.endswith(":sold")
    assert read(tmp_path, ["number,sold", *rows], column="sold")[0].values.tolist() == SOLD
    for header, column in (("sold,sold", "'sold' once"), ("number,other", "'sold'. Received: 'n")):
        sentence = refused(tmp_path, [header, *rows], column="sold")
        assert f"must have a column {column}" in sentence


# --- how files are written -----------------------------------------------------------------

PLAIN = [f"{d},{s}" for d, s in zip(DAYS, SOLD, strict=True)]


@pytest.mark.parametrize(
    ("lines", "how"),
    [
        (["day;sold", *(line.replace(",", ";") for line in PLAIN)], {}),
        (["day\tsold", *(line.replace(",", "\t") for line in PLAIN)], {}),
        (["day|sold", *(line.replace(",", "|") for line in PLAIN)], {}),
        (["\ufeffday;sold", *(line.replace(",", ";").replace(".", ",") for line in PLAIN)], {}),
        ([line.replace(",", ";").replace(".", ",") for line in PLAIN], {}),
        (["sep=;", "day;sold", *(line.replace(",", ";") for line in PLAIN)], {}),
        (["day,sold", *PLAIN, "", "", ",", ""], {}),
        (["day,sold,", *(line + "," for line in PLAIN)], {}),
        (["day,sold", *(line + "," for line in PLAIN)], {}),
        (["# from a sensor, in shop 1", "day,sold", "# later", *PLAIN], {}),
        (['"day","sold"', *(f'"{d}","{s}"' for d, s in zip(DAYS, SOLD, strict=True))], {}),
        (["day , sold", *(line.replace(",", " , ") for line in PLAIN)], {}),
        (["day,sold", *(line + " MW" for line in PLAIN)], {}),
        (["day,sold", *(line.replace(",", ",$") for line in PLAIN)], {}),
        (["day,sold", *(line + " %" for line in PLAIN)], {}),
        (["day;sold", *(line.replace(",", ";€ ").replace(".", ",") for line in PLAIN)], {}),
        (["sold", *(str(s).replace(".", ",") for s in SOLD)], {}),
        ([str(s).replace(".", ",") for s in SOLD], {"decimal": ","}),
        (["day,sold\r", *(line + "\r" for line in PLAIN)], {}),
    ],
)  # fmt: skip
def test_files_are_read_as_they_are_written(tmp_path, lines, how):
    series, _ = read(tmp_path, lines, **how)
    assert series.values.tolist() == SOLD
    assert series.days is None or (series.days == pd.to_datetime(DAYS)).all()


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda s: f'"{s + 4000:,.2f}"', "thousands in groups"),
        (lambda s: f"{s + 4000:,.2f}".translate(str.maketrans(",.", ".,")), None),
        (lambda s: f"{s + 4000:,.1f}".replace(",", "'"), "thousands in groups"),
        (lambda s: f"{s + 4000:,.1f}".replace(",", "\u202f"), "thousands in groups"),
    ],
)
def test_thousands_are_grouped_in_many_ways(tmp_path, write, said):
    separator = "," if said else ";"
    lines = [f"{d}{separator}{write(s)}" for d, s in zip(DAYS, SOLD, strict=True)]
    series, found = read(tmp_path, [f"day{separator}sold", *lines])
    np.testing.assert_allclose(series.values, np.array(SOLD) + 4000)
    assert found["numbers"] == (said or "decimal comma, thousands in groups")


def changed(place, line):
    """A file with another line at this place."""
    lines = dated()
    lines[place] = line
    return lines


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (changed(5, f"{DAYS[4]},12 MW"), "'12 MW' in line 6, and 0 more. Correct the cells"),
        (changed(5, f"{DAYS[4]},inf"), "Received: 'inf' in line 6"),
        (changed(5, f'{DAYS[4]},"1,5"'), "Received: '1,5' in line 6"),
        (changed(5, f"{DAYS[4]},1,5"), "3 cells in line 6 (2024-01-31, 1, 5), 2 in the header"),
        (changed(5, f"{DAYS[4]},(5.0)"), "Received: '(5.0)' in line 6"),
        (changed(5, f"{DAYS[4]},"), "Received: an empty cell in line 6"),
        (changed(5, "2024-13-45,5"), "a date in every line. Received: '2024-13-45' in line 6"),
        (
            dated([f"{day} 0{3 * (n == 20)}:17" for n, day in enumerate(DAYS)]),
            "must have equal steps. Received: 2024-02-16 03:17 in line 22, after 2024-02-15 00:17, "
            "while most steps are 1 day",
        ),
        (
            ["Report 2024", "", *dated()],
            "2 cells in line 3 (day, sold), 1 in the header. Remove lines above",
        ),
        ([*dated(), "total,300"], "Received: 'total' in line 42"),
    ],
)
def test_a_line_unlike_others_is_shown(tmp_path, lines, sentence):
    assert sentence in refused(tmp_path, lines)


def test_a_comma_that_may_be_two_things_is_refused_with_the_way_out(tmp_path):
    lines = ["sold", *(f"{s:.0f},{n:03d}" for n, s in enumerate(SOLD, 111))]
    sentence = refused(tmp_path, lines)
    assert "the ',' of '100,111' in line 2 may come before decimals or between" in sentence
    assert read(tmp_path, lines, decimal=",")[0].values[0] == 100.111
    assert read(tmp_path, lines, decimal=".")[0].values[0] == 100_111
    sentence = refused(tmp_path, [str(s).replace(".", ",") for s in SOLD])
    assert "one column of numbers, or be told which" in sentence
    assert "If the commas are decimal commas, add --decimal ','. Name it" in sentence


def test_a_dot_that_may_be_two_things_is_refused_too(tmp_path):
    lines = [
        "sold",
        *(f"{n}" if n < 1000 else f"{n:,}".replace(",", ".") for n in range(990, 1030)),
    ]
    assert "the '.' of '1.000' in line 12 may come before decimals or between" in refused(
        tmp_path, lines
    )
    assert read(tmp_path, lines, decimal=",")[0].values.tolist() == list(range(990, 1030))
    fixed = ["sold", *(f"{s:.3f}" for s in SOLD)]  # three decimals everywhere
    assert read(tmp_path, fixed)[0].values.tolist() == SOLD


def test_where_the_reader_cannot_give_options_none_is_named(tmp_path):
    gap, two = dated(), ["a,b", *(f"{s},{s}" for s in SOLD)]
    gap[5] = ""
    for lines in (gap, dated(sold=["", *SOLD[1:]]), dated(sold=["x", *SOLD[1:]]), two):
        assert " --" in refused(tmp_path, lines)
        assert " --" not in refused(tmp_path, lines, options=False)


def test_times_with_a_zone_are_said_to_be_in_utc(tmp_path):
    hours = pd.date_range("2024-03-30", periods=40, freq="h", tz="Europe/Berlin")  # summer begins
    series, said = read(tmp_path, dated(map(str, hours)))
    assert series.step == "1 hour"
    assert said["dates"].startswith("2024-03-29 23:00 to 2024-03-31 14:00 in UTC, 40 steps")
    local = hours.strftime("%Y-%m-%d %H:%M")
    assert "2024-03-31 03:00 in line 28, after 2024-03-31 01:00" in refused(tmp_path, dated(local))
