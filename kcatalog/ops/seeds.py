"""Seeds of initializers, as Keras's own initializers treat them."""

from typing import Any

import keras

from kcatalog import checks


def seed(owner: object, value: Any) -> Any:
    """Check an integer, a generator, or None."""
    kinds = (int, keras.random.SeedGenerator, type(None))
    return checks.instance(owner, "seed", value, kinds, "an integer, a SeedGenerator or None")


def drawn(value: Any) -> int:
    """Return the seed to draw with: for None, one that is chosen now and kept."""
    return keras.random.SeedGenerator().get_config()["seed"] if value is None else value
