"""Writes the paths of optax's optimizers, as the examples of its table call them.

Run it from the repository's root with PYTHONPATH=. in the environment that README.md names.
"""

import tomllib
from pathlib import Path

import jax
import numpy as np
import optax
import optax.contrib

from tests.migrate import other_calls

jax.config.update("jax_enable_x64", True)
FOLDER = Path(__file__).parent
TABLE = FOLDER.parents[1] / "kcatalog" / "migrate" / "tables" / "optax.toml"
PEER = f"optax {optax.__version__}, jax {jax.__version__}"


def path(optimizer):
    state = {"weights": other_calls.start()}
    state["optimizer"] = optimizer.init(state["weights"])

    def step(gradients):
        updates, state["optimizer"] = optimizer.update(
            gradients, state["optimizer"], state["weights"]
        )
        state["weights"] = optax.apply_updates(state["weights"], updates)
        return state["weights"]

    return other_calls.walk(step)


def others():
    """Return the Dice loss of two images, and a rate's factor in each epoch of some losses."""
    logits, classes, losses = other_calls.segments()
    values = {}
    for text in ("", "alpha=0.3, beta=0.6, smooth=0.5"):
        options = other_calls.given((), text)
        values[f"losses.dice_loss({text})"] = optax.losses.dice_loss(logits, classes, **options)
    plateau = optax.contrib.reduce_on_plateau(
        factor=0.5, patience=2, rtol=0.0, atol=0.1, cooldown=1
    )
    state, factors = plateau.init(np.zeros(1)), []
    for loss in losses:
        updates, state = plateau.update(np.ones(1), state, value=loss)
        factors.append(updates[0])
    return values | {"contrib.reduce_on_plateau": np.array(factors)}


def main():
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    values = others()
    for name, row in rows.items():
        for example in row.get("examples", ()):
            call = f"optax.{name}({example})"
            values[f"{name}({example})"] = path(eval(call))  # noqa: S307 - of our table
    np.savez_compressed(FOLDER / "optax_rows.npz", peer=np.array(PEER), **values)
    print(len(values))


if __name__ == "__main__":
    main()
