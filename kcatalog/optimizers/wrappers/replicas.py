"""Assigning variables, on one device or on several replicas.

TensorFlow's `tf.distribute` runs an optimizer once per replica and forbids a plain assignment
there; JAX traces both sides of a condition and forbids assignments inside it. What wrappers do
with variables goes through the functions here, so that no wrapper has to know.
"""

import keras
from keras import ops

from kcatalog.ops.replicas import replica_context


def dense(gradient):
    """Return a gradient as a tensor: TensorFlow gives slices for an embedding."""
    if keras.backend.backend() != "tensorflow":
        return gradient
    import tensorflow as tf

    return tf.convert_to_tensor(gradient)


def assign_when(condition, groups, equation, *args):
    """If `condition`, replace each group of variables by `equation(*group, *args)`.

    The variables are untouched, and nothing is computed, while the condition is false.

    Args:
        condition: a scalar boolean tensor.
        groups: lists of variables that have one shape and live together, such as a weight and
            its moving average.
        equation: from tensors, one per variable of the group, to their new values.
        args: more tensors for the equation.
    """
    groups = [list(group) for group in groups]
    if not groups:
        return

    def values():
        return [equation(*map(ops.stop_gradient, group), *args) for group in groups]

    def assign(new_values):
        for group, new in zip(groups, new_values, strict=True):
            for variable, value in zip(group, new, strict=True):
                variable.assign(value)

    if keras.backend.backend() == "jax":
        known = _known(condition)
        if known is None:  # traced: no side effects inside a condition
            unchanged = [tuple(map(ops.stop_gradient, group)) for group in groups]
            assign(ops.cond(condition, lambda: [tuple(v) for v in values()], lambda: unchanged))
        elif known:  # copies: two variables that share a buffer could not both be donated
            assign([[ops.copy(v) for v in new] for new in values()])
    elif replica_context() is not None:
        _assign_on_every_replica(condition, groups, equation, args)
    else:
        ops.cond(condition, lambda: assign(values()), lambda: None)


def _known(condition):
    """Return a JAX condition as True or False, or None while it is traced."""
    import jax

    try:
        return bool(condition)
    except jax.errors.TracerBoolConversionError:
        return None


def _assign_on_every_replica(condition, groups, equation, args):
    import tensorflow as tf

    def update(strategy, condition, *args):
        for group in groups:
            first, *rest = [v.value for v in group]
            strategy.extended.update(first, on_device, args=(condition, rest, *args), group=False)

    def on_device(first, condition, rest, *args):
        group = [first, *rest]

        def assign():
            new = equation(*[tf.convert_to_tensor(v) for v in group], *args)
            for variable, value in zip(group, new, strict=True):
                variable.assign(value)
            return True

        return tf.cond(condition, assign, lambda: False)

    tf.distribute.get_replica_context().merge_call(update, args=(condition, *args))
