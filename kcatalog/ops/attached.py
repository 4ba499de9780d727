"""Tensors that travel with another one, as Keras's masks do.

Keras has no public name for this, nor for whether it infers shapes, when nothing travels; they are
used here alone.
"""

from typing import Any

from keras.src.backend.common.symbolic_scope import in_symbolic_scope
from keras.src.backend.common.tensor_attributes import get_tensor_attr, set_tensor_attr

from kcatalog.types import Tensor


def attach(x: Tensor, name: str, value: Any) -> Tensor:
    """Attach a tensor to `x`, a new one that nobody else holds, and return it.

    >>> import keras
    >>> x = attach(keras.ops.ones((2,)), "_half", keras.ops.ones((1,)))
    >>> attached(x, "_half").shape[0], attached(keras.ops.ones((2,)), "_half")
    (1, None)
    """
    set_tensor_attr(x, name, value)
    return x


def attached(x: Tensor, name: str) -> Any:
    """Return what was attached to `x` under this name, or None."""
    return get_tensor_attr(x, name)


def infers_shapes() -> bool:
    """Return whether Keras only infers shapes now.

    >>> infers_shapes()
    False
    """
    return in_symbolic_scope()
