"""Initializers shared by several weights of one layer."""

from typing import Any

import keras

from kcatalog.types import KerasObject


def redrawn(initializer: KerasObject) -> Any:
    """Return the initializer, or one like it that draws numbers of its own.

    A Keras initializer without a seed picks one when it is made, and gives every weight of a shape
    the same numbers.

    >>> shared = keras.initializers.RandomNormal()
    >>> one, two = redrawn(shared)((2,)), redrawn(shared)((2,))
    >>> bool(keras.ops.all(one == two)), bool(keras.ops.all(shared((2,)) == shared((2,))))
    (False, True)
    """
    if not isinstance(initializer, keras.initializers.Initializer):
        return initializer  # a function
    return initializer.clone()
