"""Files that earlier versions saved load, and compute the same values.

`data/` was written by kcatalog 0.1.0 before `get_config` was derived: a compiled model with layers,
a loss, a metric, a wrapper around a schedule and a regularizer of ours; and every part's config.
"""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from kcatalog import registry
from tests.test_saved import reads_keras_3_15

DATA = Path(__file__).parent / "data"
CONFIGS = json.loads((DATA / "configs_0_1.json").read_text(encoding="utf-8"))


@pytest.mark.slow
@reads_keras_3_15
def test_a_model_loads_and_computes_what_it_did():
    model = keras.models.load_model(DATA / "parts_0_1.keras")
    saved = np.load(DATA / "parts_0_1.npz")
    np.testing.assert_allclose(model.predict(saved["x"], verbose=0), saved["output"], atol=1e-5)
    logs = model.evaluate(saved["x"], saved["y"], verbose=0, return_dict=True)
    np.testing.assert_allclose([logs[k] for k in sorted(logs)], saved["evaluated"], rtol=1e-4)
    assert sorted(logs) == ["cohen_kappa", "loss"]
    assert type(model.optimizer).__name__ == "Lookahead"
    assert int(model.optimizer.iterations) == 4
    steps = keras.ops.convert_to_numpy(model.optimizer._steps)
    np.testing.assert_array_equal(steps, 4)  # which the file does not hold


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=reads_keras_3_15 if "input_axes" in json.dumps(config) else ())
        for path, config in CONFIGS.items()
    ],
)
def test_a_config_loads(path):
    saved = CONFIGS[path]
    part = keras.saving.deserialize_keras_object(saved)
    assert type(part) is registry.describe(path.removeprefix("schedules.")).load()
    for key, value in saved["config"].items():
        assert _plain(part.get_config()[key]) == _plain(value)


def _plain(value):
    """A value without what has moved, or was added, since."""
    if isinstance(value, dict):
        if "class_name" in value:
            return value["class_name"], _plain(value["config"])
        return {k: _plain(v) for k, v in value.items() if k != "dtype"}
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value
