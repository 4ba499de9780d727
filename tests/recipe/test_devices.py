"""Devices: used as asked for, or an error."""

import keras
import numpy as np
import pytest

from kcatalog.recipe import devices
from kcatalog.recipe.errors import RecipeError
from tests.recipe.conftest import start


def test_cpu_and_auto():
    for asked in ("auto", "cpu"):
        with devices.using(asked) as used, used.scope():
            assert used.words == "CPU"
            assert np.all(keras.ops.convert_to_numpy(keras.ops.ones(3)) == 1)


@pytest.mark.parametrize("asked", ["gpu", "gpu:2", "tpu"])
def test_what_is_not_there_is_an_error(asked):
    with (
        pytest.raises(RecipeError, match=f"--devices {asked} asks for"),
        devices.using(asked),
    ):
        pass


@pytest.mark.parametrize("asked", ["", "gpux", "gpu:0", "gpu:two", "auto:2", "cpu:-1"])
def test_what_cannot_be_understood_is_an_error(asked):
    with pytest.raises(RecipeError, match="--devices must be auto"), devices.using(asked):
        pass


@pytest.mark.slow
@pytest.mark.tensorflow
def test_two_replicas_train_one_model(tmp_path):
    """Two logical CPUs stand in for two GPUs."""
    done = start("train", "--devices", "cpu:2", "--epochs", "1", folder=tmp_path)
    assert done.code == 0, done.err
    assert (done.run / "model.keras").exists()
