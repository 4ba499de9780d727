"""Forecasting from a CSV file to a served model, its pictures and its predictions."""

import json
import re

import keras
import numpy as np
import pytest
from keras import layers, ops
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kcatalog.recipe import Recipe
from kcatalog.recipe.data import Series
from kcatalog.recipe.tasks import baselines


def build(hp, data):
    """The value one season before, with a learned offset for each quantile."""
    (steps,), (season, horizon) = data.input_shape, (data.details.season, data.test[1].shape[1])
    history = keras.Input(data.input_shape, name=data.input_name)
    x = layers.Cropping1D((steps - season, season - horizon))(layers.Reshape((steps, 1))(history))
    x = layers.Dense(3, kernel_initializer="ones")(x)
    model = keras.Model(history, layers.Rescaling(1.0, offset=[-2.0, 0.0, 2.0])(x))
    model.compile(keras.optimizers.SGD(1e-6), mean_error)
    return model


def mean_error(y, quantiles):
    return ops.mean(ops.abs(y[..., None] - quantiles))


recipe = Recipe("tiny", Series(horizon=6, window=12), build, baselines.ridge, epochs=1)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_from_a_csv_file_to_a_forecast(call, tmp_path):
    rng, n = np.random.default_rng(0), np.arange(600)
    values = 100 + 20 * np.sin(2 * np.pi * n / 24) + rng.normal(size=len(n)).cumsum() / 20
    hours = np.datetime64("2024-02-05T00", "h") + n
    rows = "\n".join(f"{h},{v:.4f},{-v:.4f}" for h, v in zip(hours, values, strict=True))
    (tmp_path / "sales.csv").write_text("hour,sold,returned\n" + rows)
    done = call("train", "--data", "sales.csv:sold", recipe=recipe)
    assert done.code == 0, done.err
    assert "tiny on sales.csv:sold" in done.out
    assert "2024-02-05 00:00 to 2024-02-29 23:00, 600 steps of 1 hour" in done.out
    assert "'sold' is forecast; left out: returned" in done.out
    done = call("export", recipe=recipe)
    assert done.code == 0, done.err
    for said in ("mean absolute percentage error", "coverage of the 80 % band", "ridge regression"):
        assert said in done.out
    metrics = json.loads((tmp_path / "runs/tiny/1/metrics.json").read_text())
    last = metrics["further"]["mean absolute percentage error of the last season"]
    assert 0 < metrics["test"] < 1.5 * last < 10
    assert 0 <= metrics["further"]["coverage of the 80 % band, in %"] <= 100
    events = EventAccumulator(str(tmp_path / "runs/tiny/1/logs/test")).Reload()
    assert {"forecasts", "errors by step ahead"} <= set(events.Tags()["tensors"])

    done = call("predict", "sales.csv", recipe=recipe)
    assert done.code == 0, done.err
    table = re.findall(r"│ (2024.{12}) +│ ([\d.]+) +│ ([\d.]+) +│ ([\d.]+) +│", done.out)
    assert [row[0] for row in table] == [f"2024-03-01 0{hour}:00" for hour in range(6)]
    low, middle, high = np.array([row[1:] for row in table], float).T
    assert (low < middle).all()
    assert (middle < high).all()
    to_come = 100 + 20 * np.sin(2 * np.pi * (600 + np.arange(6)) / 24)
    assert np.abs(middle - to_come).mean() < 8  # of a swing of 40


def test_bad_data_is_one_sentence_and_nothing_is_written(call, tmp_path):
    (tmp_path / "gaps.csv").write_text("sold\n1\n\n3\n4\n5\n")
    done = call("--data", "gaps.csv", recipe=recipe)
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1
    assert "gaps.csv must hold a finite number in column 'sold' of every line" in done.err
    assert "in line 3" in done.err
    assert not (tmp_path / "runs").exists()
