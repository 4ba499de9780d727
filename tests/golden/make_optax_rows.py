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


def main():
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    values = {}
    for name, row in rows.items():
        for example in row.get("examples", ()):
            call = f"optax.{name}({example})"
            values[f"{name}({example})"] = path(eval(call))  # noqa: S307 - of our table
    np.savez_compressed(FOLDER / "optax_rows.npz", peer=np.array(PEER), **values)
    print(len(values))


if __name__ == "__main__":
    main()
