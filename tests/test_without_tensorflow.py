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

PROGRAM = """
import sys
sys.modules["tensorflow"] = None
import keras, numpy as np
import kcatalog
model = keras.Sequential([keras.layers.Dense(4), kcatalog.layers.LayerScale()])
model.compile(kcatalog.optimizers.Lookahead("sgd"), kcatalog.losses.TripletSemiHard())
x, y = np.random.default_rng(0).normal(size=(8, 3)), np.arange(8) % 2
print(np.isfinite(model.fit(x, y, verbose=0).history["loss"]))
print("trained", file=sys.stderr)
import runpy
runpy.run_path("recipes/image_cnn.py", run_name="__main__")
"""


def test_parts_train_and_a_recipe_says_in_one_sentence_what_it_needs():
    command = [sys.executable, "-c", PROGRAM, "train"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (2, "[ True]\n"), done.stderr
    said = done.stderr.partition("trained\n")[2]
    assert said.startswith("Recipes need TensorFlow on every backend")
    assert said.count("\n") == 1
