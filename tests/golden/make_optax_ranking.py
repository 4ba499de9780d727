"""Writes optax's golden values of ranking softmax and sparsemax; see README.md beside it."""

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


def sparsemax():
    """Per-sample losses; the gradient is that of their sum."""
    rng = np.random.default_rng(23)
    scores, targets = float32(rng.normal(size=(12, 6))), rng.integers(0, 6, size=12)
    scores[0] *= 20
    scores[1] = 0.5  # all classes alike
    scores[2, targets[2]] = 6  # leads by more than 1: no loss

    def total(z):
        each = optax.losses.multiclass_sparsemax_loss(z, jnp.asarray(targets))
        return each.sum(), each

    gradient, loss = jax.grad(total, has_aux=True)(jnp.asarray(scores, dtype="float64"))
    write(
        "optax_sparsemax",
        scores=scores,
        targets=targets.astype("int32"),
        loss=loss,
        gradient=gradient,
    )


def ranking_softmax():
    """Lists with padding: loss of each list, and the mean with its gradient."""
    rng = np.random.default_rng(29)
    scores = float32(2 * rng.normal(size=(7, 6)))
    relevance = float32(rng.integers(0, 4, size=(7, 6)))
    where = np.ones((7, 6), dtype=bool)
    where[1, 4:] = where[2, ::2] = where[3, 1:] = False
    where[4] = False  # nothing but padding
    relevance[5] = 0  # nothing relevant
    scores[6] *= 50
    inputs = jnp.asarray(relevance), jnp.asarray(where)

    def mean(s):
        loss = optax.losses.ranking_softmax_loss
        each = loss(s, inputs[0], where=inputs[1], reduce_fn=None)
        return loss(s, inputs[0], where=inputs[1]), each

    (value, each), gradient = jax.value_and_grad(mean, has_aux=True)(jnp.asarray(scores, "float64"))
    write(
        "optax_ranking_softmax",
        scores=scores,
        relevance=relevance,
        where=where,
        loss=each,
        mean=value,
        gradient=gradient,
    )


if __name__ == "__main__":
    sparsemax()
    ranking_softmax()
