"""One backend per run, chosen by KERAS_BACKEND; the same random numbers for every test."""

import importlib.util
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import pytest

BACKEND = os.environ["KERAS_BACKEND"]
if importlib.util.find_spec(BACKEND) is None:
    pytest.exit(
        f"KERAS_BACKEND={BACKEND}, but {BACKEND} is not installed: run `make test-{BACKEND}`."
    )

import kcatalog  # noqa: E402, F401 - every part, registered
from kcatalog import registry  # noqa: E402

if BACKEND == "tensorflow":  # before TensorFlow starts, or never
    from kcatalog.conformance.descent import two_cpus

    two_cpus()


def pytest_collection_modifyitems(items):
    """Only TensorFlow runs what needs it; `-k TripletSemiHard` finds test_triplet_semi_hard.py."""
    parts = {f"test_{Path(e.file).name}": e.name for e in registry.find(origin="kcatalog")}
    for item in items:
        item.extra_keyword_matches.add(parts.get(item.path.name, ""))
        if item.get_closest_marker("tensorflow") and BACKEND != "tensorflow":
            item.add_marker(pytest.mark.skip(reason=f"needs TensorFlow, runs on {BACKEND}"))


@pytest.fixture(autouse=True)
def _seeded():
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture
def rng():
    """Random numbers of the test's own."""
    return np.random.default_rng(0)
