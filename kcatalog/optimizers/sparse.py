"""Sparse gradients: TensorFlow's slices, which embeddings have, and the rows that they touch."""

import keras
from keras import ops

from kcatalog.types import Tensor


def dense(gradient: Tensor) -> Tensor:
    """Return a gradient as a dense tensor: those of an embedding may be sparse."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.convert_to_tensor(gradient)  # Keras leaves slices as they are
    return ops.convert_to_tensor(gradient, sparse=False)


def is_sparse(gradient: Tensor) -> bool:
    """Return whether a gradient is one of TensorFlow's slices: rows of a table, some repeated."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return isinstance(gradient, tf.IndexedSlices)


def read_rows(variable: keras.Variable, rows: Tensor) -> Tensor:
    """Return rows of a TensorFlow variable, without reading the others."""
    import tensorflow as tf

    return tf.gather(_native(variable), rows)


def write_rows(variable: keras.Variable, rows: Tensor, values: Tensor) -> None:
    """Assign rows of a TensorFlow variable, without touching the others."""
    import tensorflow as tf

    variable = _native(variable)
    variable.scatter_update(tf.IndexedSlices(tf.cast(values, variable.dtype), rows))


def _native(variable):
    return variable.value if isinstance(variable, keras.Variable) else variable
