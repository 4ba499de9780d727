"""Writes golden values of optax's projections; README.md beside it names the environment."""

from pathlib import Path

import jax
import numpy as np
import optax
from jax import numpy as jnp

jax.config.update("jax_enable_x64", True)
FOLDER = Path(__file__).parent


def main():
    rng = np.random.default_rng(21)
    x = rng.normal(size=(5, 8)).astype("float32")
    x[3] = 0
    x[4, 1:4] = x[4, 0]  # ties
    radii = np.array([0.5, 2.0, 100.0])
    exact = jnp.asarray(x, "float64")
    project = optax.projections.projection_l1_ball
    ball = [[project(row, r) for row in exact] for r in radii]
    whole = [project(exact, r) for r in radii]
    box = optax.projections.projection_box(exact, -0.5, 0.75)
    np.savez_compressed(
        FOLDER / "optax_projections.npz",
        peer=np.array(f"optax {optax.__version__}, jax {jax.__version__}"),
        x=x,
        radii=radii,
        l1_ball=np.array(ball),
        l1_ball_whole=np.array(whole),
        box=np.asarray(box),
    )


if __name__ == "__main__":
    main()
