"""Ten lines of a user's own: import parts, train, save; load in a fresh process.

The imports print nothing on the terminal and warn of nothing.
"""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kcatalog import layers, losses, optimizers

ROOT = Path(__file__).parents[1]
LOAD = """
import kcatalog
import keras, numpy as np, sys, warnings  # with Keras, all parts are imported
print("imported", file=sys.stderr)
warnings.resetwarnings()
model = keras.saving.load_model("model.keras")
seen = np.load("seen.npz")
np.testing.assert_allclose(model.predict(seen["x"], verbose=0), seen["y"], rtol=1e-5, atol=1e-6)
print(type(model.optimizer).__name__, type(model.loss).__name__, model.loss.margin)
"""


@pytest.mark.slow
def test_parts_train_save_and_load_in_a_fresh_process(tmp_path, capfd):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 4)),
            keras.layers.Conv2D(8, 3),
            layers.SqueezeExcite(ratio=2),
            keras.layers.Flatten(),
            keras.layers.Dense(5),
        ]
    )
    model.compile(optimizers.Lookahead(keras.optimizers.Adam()), losses.TripletSemiHard(margin=0.5))
    x, y = np.random.rand(32, 8, 8, 4).astype("float32"), np.arange(32) % 4
    model.fit(x, y, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "seen.npz", x=x, y=model.predict(x, verbose=0))
    assert capfd.readouterr().out == ""

    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("imported\n")
    assert done.stdout == "Lookahead TripletSemiHard 0.5\n"
