"""Assigning variables, on one device or on several replicas.

TensorFlow's `tf.distribute` runs an optimizer once per replica and forbids a plain assignment
there; JAX traces both sides of a condition and forbids assignments inside it. What wrappers do
with variables goes through the functions here, so that no wrapper has to know.
"""

import functools

import keras
from keras import ops

from kcatalog.ops.replicas import replica_context


def dense(gradient):
    """Return a gradient as a dense tensor: those of an embedding may be sparse."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.convert_to_tensor(gradient)  # Keras leaves slices as they are
    return ops.convert_to_tensor(gradient, sparse=False)


def assign_where(due, groups, equation, *args):
    """Replace each group of variables by `equation(*group, *args)` where that is due.

    New values obey the constraints of their variables. While no group is due, nothing is computed
    and no variable is touched.

    Args:
        due: a boolean vector with an entry for each group.
        groups: lists of variables that have one shape and live together, such as a weight and
            its moving average.
        equation: from tensors, one for each variable of the group, to their new values. A tensor
            that it returns as it came leaves its variable alone.
        args: more vectors with an entry for each group, which the equation gets.
    """
    if not groups:
        return
    condition = ops.any(due)

    def new_values(i, old, due, *args):
        new = equation(*old, *(a[i] for a in args))
        triples = zip(groups[i], old, new, strict=True)
        return [o if n is o else ops.where(due[i], _allowed(v, n), o) for v, o, n in triples]

    def values():
        return [
            new_values(i, list(map(ops.stop_gradient, group)), due, *args)
            for i, group in enumerate(groups)
        ]

    def assign(new_values):
        for group, new in zip(groups, new_values, strict=True):
            for variable, value in zip(group, new, strict=True):
                variable.assign(value)

    if keras.backend.backend() == "jax":
        known = _known(condition)
        if known is None:  # traced: no side effects inside a condition
            unchanged = [list(map(ops.stop_gradient, group)) for group in groups]
            assign(ops.cond(condition, values, lambda: unchanged))
        elif known:  # copies: two variables that share a buffer could not both be donated
            assign([[ops.copy(v) for v in new] for new in values()])
    elif replica_context() is not None:
        _assign_on_every_replica(condition, groups, new_values, due, args)
    else:
        ops.cond(condition, lambda: assign(values()), lambda: None)


def _allowed(variable, value):
    """Return a value in the variable's dtype and under its constraint."""
    constraint = getattr(variable, "constraint", None)
    value = ops.cast(value, variable.dtype)
    return value if constraint is None else constraint(value)


def _known(condition):
    """Return a JAX condition as True or False, or None while it is traced."""
    import jax

    try:
        return bool(condition)
    except jax.errors.TracerBoolConversionError:
        return None


def _assign_on_every_replica(condition, groups, new_values, due, args):
    import tensorflow as tf

    def update(strategy, condition, due, *args):
        for i, group in enumerate(groups):
            first, *rest = [getattr(v, "value", v) for v in group]
            on_this = functools.partial(on_device, i)
            args_here = (condition, rest, due, *args)
            strategy.extended.update(first, on_this, args=args_here, group=False)

    def on_device(i, first, condition, rest, due, *args):
        group = [first, *rest]

        def assign():
            old = [tf.convert_to_tensor(v) for v in group]
            for variable, value in zip(group, new_values(i, old, due, *args), strict=True):
                variable.assign(value)
            return True

        return tf.cond(condition, assign, lambda: False)

    tf.distribute.get_replica_context().merge_call(update, args=(condition, due, *args))
