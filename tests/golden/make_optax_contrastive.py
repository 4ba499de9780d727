"""Writes golden values of optax's contrastive loss; README.md beside it names the environment."""

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


def ntxent():
    """Two temperatures; labels of uneven classes, one of them with a single member."""
    rng = np.random.default_rng(59)
    x = np.asarray(rng.normal(size=(11, 4)), "float32")
    labels, temperatures = np.array([0, 0, 1, 2, 1, 2, 2, 3, 3, 2, 4], "int32"), [0.07, 1.0]
    results = [
        jax.value_and_grad(optax.losses.ntxent)(jnp.asarray(x, "float64"), labels, t)
        for t in temperatures
    ]
    arrays = {"x": x, "labels": labels, "temperature": temperatures}
    write("optax_ntxent", **arrays, value=[r[0] for r in results], gradient=[r[1] for r in results])


if __name__ == "__main__":
    ntxent()
