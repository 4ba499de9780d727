"""One backend per run, chosen by KERAS_BACKEND; the same random numbers for every test."""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import pytest

import kcatalog  # noqa: F401 - every part, registered

if os.environ["KERAS_BACKEND"] == "tensorflow":  # before TensorFlow starts, or never
    from kcatalog.conformance.optimizers import two_cpus

    two_cpus()


def pytest_collection_modifyitems(items):
    """Tests of what only TensorFlow can do do not run on the other backends."""
    backend = os.environ["KERAS_BACKEND"]
    for item in items:
        if item.get_closest_marker("tensorflow") and backend != "tensorflow":
            item.add_marker(pytest.mark.skip(reason=f"needs TensorFlow, runs on {backend}"))


@pytest.fixture(autouse=True)
def _seeded():
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture
def rng():
    """Random numbers of the test's own."""
    return np.random.default_rng(0)
