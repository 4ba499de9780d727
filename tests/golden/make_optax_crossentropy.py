"""Writes the golden values of optax's PolyLoss; README.md beside it names the environment."""

from pathlib import Path

import jax
import numpy as np
import optax
from jax import numpy as jnp

jax.config.update("jax_enable_x64", True)  # results in float64, from inputs exact in float32
FOLDER = Path(__file__).parent
PEER = f"optax {optax.__version__}, jax {jax.__version__}"


def poly_loss():
    """Per-sample losses for one-hot and for soft targets; the gradient is that of their sum."""
    rng = np.random.default_rng(41)
    scores = np.asarray(3 * rng.normal(size=(12, 5)), "float32")
    targets = np.eye(5, dtype="float32")[rng.integers(0, 5, size=12)]
    targets[6:] = np.round(64 * rng.dirichlet(np.ones(5), size=6)) / 64  # exact in float32
    targets[6:, 0] += 1 - targets[6:].sum(-1)
    epsilons, losses, gradients = [-1.0, 0.5, 2.0], [], []
    for epsilon in epsilons:

        def total(s, epsilon=epsilon):
            y = jnp.asarray(targets, dtype="float64")
            each = optax.losses.poly_loss_cross_entropy(s, y, epsilon=epsilon)
            return each.sum(), each

        gradient, each = jax.grad(total, has_aux=True)(jnp.asarray(scores, dtype="float64"))
        losses.append(each)
        gradients.append(gradient)
    arrays = {"scores": scores, "targets": targets, "epsilon": epsilons}
    arrays |= {"loss": losses, "gradient": gradients, "peer": PEER}
    np.savez_compressed(FOLDER / "optax_poly_loss.npz", **arrays)


if __name__ == "__main__":
    poly_loss()
