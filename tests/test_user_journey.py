"""Ten lines of a user's own: import parts, train, save; load in a fresh process."""

import subprocess
import sys

import pytest

TRAIN = """
import keras, numpy as np
from kcatalog import layers, losses, optimizers
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


def run(code, folder):
    """Runs Python code in a fresh process; its last line of output."""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_parts_train_save_and_load_in_a_fresh_process(tmp_path):
    run(TRAIN, tmp_path)
    assert run(LOAD, tmp_path) == "Lookahead TripletSemiHard 0.5"
