"""Without TensorFlow parts work on JAX and PyTorch, and a recipe says what it needs."""

import subprocess
import sys
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="without it, this backend does not start"
)

BLOCKED = "import sys; sys.modules['tensorflow'] = None\n"
TRAIN = """
import keras, numpy as np
import kcatalog
model = keras.Sequential([keras.layers.Dense(4), kcatalog.layers.LayerScale()])
model.compile(kcatalog.optimizers.Lookahead("sgd"), kcatalog.losses.TripletSemiHard())
x, y = np.random.default_rng(0).normal(size=(8, 3)), np.arange(8) % 2
print(np.isfinite(model.fit(x, y, verbose=0).history["loss"]))
"""
RECIPE = "import runpy; runpy.run_path('recipes/image_cnn.py', run_name='__main__')"


def without_tensorflow(program):
    command = [sys.executable, "-c", BLOCKED + program, "train"]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_parts_train():
    done = without_tensorflow(TRAIN)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[ True]\n"


def test_a_recipe_says_in_one_sentence_what_it_needs():
    done = without_tensorflow(RECIPE)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Recipes need TensorFlow on every backend")
    assert done.stderr.count("\n") == 1
