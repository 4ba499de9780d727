"""Writes the rates of optax's schedules; README.md beside it names the environment."""

from pathlib import Path

import jax
import numpy as np
import optax

jax.config.update("jax_enable_x64", True)
FOLDER = Path(__file__).parent
PEER = f"optax {optax.__version__}, jax {jax.__version__}"

schedules = {
    "cosine_onecycle": optax.cosine_onecycle_schedule(40, 0.5, 0.25, 10.0, 100.0),
    "linear_onecycle": optax.linear_onecycle_schedule(40, 0.5, 0.25, 0.75, 10.0, 100.0),
    "joined": optax.join_schedules(
        [
            optax.linear_schedule(0.0, 0.5, 8),
            optax.cosine_decay_schedule(0.5, 20),
            optax.constant_schedule(0.125),
        ],
        [8, 30],
    ),
}
rates = {name: [float(schedule(t)) for t in range(50)] for name, schedule in schedules.items()}
np.savez_compressed(FOLDER / "optax_schedules.npz", peer=np.array(PEER), **rates)
