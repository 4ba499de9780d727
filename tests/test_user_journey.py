"""Ten lines of a user's own: import parts, train, save; load in a fresh process.

The imports print nothing on the terminal and warn of nothing.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TRAIN = """
from kcatalog import layers, losses, optimizers
import keras, numpy as np, sys, warnings
print("imported", file=sys.stderr)
warnings.resetwarnings()
model = keras.Sequential([keras.Input((8, 8, 4)), keras.layers.Conv2D(8, 3),
                          layers.SqueezeExcite(ratio=2), keras.layers.Flatten(),
                          keras.layers.Dense(5)])
model.compile(optimizers.Lookahead(keras.optimizers.Adam()), losses.TripletSemiHard(margin=0.5))
x, y = np.random.rand(32, 8, 8, 4).astype("float32"), np.arange(32) % 4
model.fit(x, y, epochs=1, verbose=0)
model.save("model.keras"); np.savez("seen.npz", x=x, y=model.predict(x, verbose=0))
"""

LOAD = """
import kcatalog
import keras, numpy as np
model = keras.saving.load_model("model.keras")
seen = np.load("seen.npz")
np.testing.assert_allclose(model.predict(seen["x"], verbose=0), seen["y"], rtol=1e-5, atol=1e-6)
print(type(model.optimizer).__name__, type(model.loss).__name__, model.loss.margin)
"""


def run(*arguments, folder):
    """Run Python in a process as a user starts it, and return its output and error output."""
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.slow
def test_parts_train_save_and_load_in_a_fresh_process(tmp_path):
    out, err = run("-W", "error", "-c", TRAIN, folder=tmp_path)
    assert out == ""
    assert err.startswith("imported\n")
    assert run("-c", LOAD, folder=tmp_path)[0] == "Lookahead TripletSemiHard 0.5\n"
