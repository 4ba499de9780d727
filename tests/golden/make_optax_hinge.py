"""Writes the golden values of optax's perceptron losses; README.md names the environment."""

from pathlib import Path

import jax
import numpy as np
import optax
from jax import numpy as jnp

jax.config.update("jax_enable_x64", True)  # results in float64, from inputs exact in float32
FOLDER = Path(__file__).parent
PEER = f"optax {optax.__version__}, jax {jax.__version__}"


def write(name, **arrays):
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    np.savez_compressed(FOLDER / f"{name}.npz", peer=np.array(PEER), **arrays)


def float32(x):
    return np.asarray(x, dtype="float32")


def perceptron():
    """Per-sample losses of one score and of many; the gradients are those of their sums."""
    rng = np.random.default_rng(41)
    scores, labels = float32(rng.normal(size=(12, 5))), rng.integers(0, 5, size=12)
    score, signs = float32(rng.normal(size=12)), 2 * rng.integers(0, 2, size=12) - 1

    def binary(s):
        losses = optax.losses.perceptron_loss(s, jnp.asarray(signs))
        return losses.sum(), losses

    def multiclass(s):
        losses = optax.losses.multiclass_perceptron_loss(s, jnp.asarray(labels))
        return losses.sum(), losses

    arrays = {}
    for name, total, s in (("binary", binary, score), ("multiclass", multiclass, scores)):
        gradient, losses = jax.grad(total, has_aux=True)(jnp.asarray(s, dtype="float64"))
        arrays |= {f"{name}_scores": s, f"{name}_loss": losses, f"{name}_gradient": gradient}
    write("optax_perceptron", signs=signs.astype("int32"), labels=labels.astype("int32"), **arrays)


if __name__ == "__main__":
    perceptron()
