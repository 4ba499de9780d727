"""Forecasting from a CSV file to a served model, its pictures and its predictions."""

import importlib.util
import json
import re

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.recipe.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


@pytest.fixture
def recipe():
    spec = importlib.util.spec_from_file_location("f", ROOT / "recipes" / "forecast_gru.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.recipe


def test_from_a_csv_file_to_a_forecast(call, recipe, tmp_path):
    rng, n = np.random.default_rng(0), np.arange(1200)
    values = 100 + 20 * np.sin(2 * np.pi * n / 24) + rng.normal(size=len(n)).cumsum() / 20
    rows = "\n".join(f"{i},{v:.4f},{-v:.4f}" for i, v in enumerate(values))
    (tmp_path / "sales.csv").write_text("hour,sold,returned\n" + rows)
    options = ("--data", "sales.csv:sold", "--trials", 1, "--trial-epochs", 1, "--epochs", 2)
    done = call(*options, recipe=recipe)
    assert done.code == 0, done.err
    assert "forecast_gru on sales.csv:sold" in done.out
    for said in ("mean absolute percentage error", "coverage of the 80 % band", "ridge regression"):
        assert said in done.out
    metrics = json.loads((tmp_path / "runs/forecast_gru/1/metrics.json").read_text())
    last = metrics["further"]["mean absolute percentage error of the last season"]
    assert 0 < metrics["test"] < 1.5 * last < 10
    assert 0 <= metrics["further"]["coverage of the 80 % band, in %"] <= 100

    events = EventAccumulator(str(tmp_path / "runs/forecast_gru/1/logs/test")).Reload()
    assert {"forecasts", "errors by step ahead"} <= set(events.Tags()["tensors"])

    done = call("predict", "sales.csv", recipe=recipe)
    assert done.code == 0, done.err
    table = re.findall(r"│ (\d+) +│ ([\d.]+) +│ ([\d.]+) +│ ([\d.]+) +│", done.out)
    assert [int(row[0]) for row in table] == list(range(1, 49))
    low, middle, high = np.array([row[1:] for row in table], float).T
    assert (low < middle).all()
    assert (middle < high).all()
    to_come = 100 + 20 * np.sin(2 * np.pi * (1200 + np.arange(48)) / 24)
    assert np.abs(middle - to_come).mean() < 8  # of a swing of 40


def test_bad_data_is_one_sentence_and_nothing_is_written(call, recipe, tmp_path):
    (tmp_path / "gaps.csv").write_text("sold\n1\n\n3\n4\n5\n")
    done = call("--data", "gaps.csv", recipe=recipe)
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1
    assert "gaps.csv must hold a finite number in column 'sold' of every line" in done.err
    assert "in line 3" in done.err
    assert not (tmp_path / "runs").exists()
