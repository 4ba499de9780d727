"""Writes what optax's peers of wrappers do; README.md beside it names the environment."""

from pathlib import Path

import jax
import numpy as np
import optax

from tests.optimizers.problems import paths

jax.config.update("jax_enable_x64", True)
FOLDER = Path(__file__).parent
PEER = np.array(f"optax {optax.__version__}, jax {jax.__version__}")
BAD_STEPS = (2, 3, 7)  # whose gradients are NaN


def steps(start):
    optimizer = optax.apply_if_finite(optax.adam(2**-4, 0.75, 1 - 2**-10, eps=1e-14), 100)
    state = {"weights": start, "optimizer": optimizer.init(start), "step": 0}

    def step(gradients):
        state["step"] += 1
        if state["step"] in BAD_STEPS:
            gradients = [np.full_like(g, np.nan) for g in gradients]
        updates, state["optimizer"] = optimizer.update(
            gradients, state["optimizer"], state["weights"]
        )
        state["weights"] = optax.apply_updates(state["weights"], updates)
        return state["weights"]

    return step


np.savez_compressed(
    FOLDER / "optax_apply_if_finite.npz", peer=PEER, bad_steps=BAD_STEPS, **paths(steps)
)

noise, zeros = optax.add_noise(eta=0.5, gamma=0.75, key=0), np.zeros(200_000)
state, deviations = noise.init(zeros), []
for _ in range(10):
    update, state = noise.update(zeros, state)
    deviations.append(float(np.std(update)))
np.savez_compressed(
    FOLDER / "optax_add_noise.npz", peer=PEER, eta=0.5, gamma=0.75, deviations=deviations
)
