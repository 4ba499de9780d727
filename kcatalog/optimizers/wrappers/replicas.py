"""Assigning variables, on one device or on several replicas.

TensorFlow's `tf.distribute` runs an optimizer once per replica and forbids a plain assignment
there; JAX traces both sides of a condition and forbids assignments inside it. What wrappers do
with variables goes through the functions here, so that no wrapper has to know.
"""

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kcatalog.ops.replicas import replica_context
from kcatalog.types import Tensor


def copies(variables: list[keras.Variable]) -> Any:
    """Return what variables hold, as tensors that later assignments leave as they are."""
    values = [ops.stop_gradient(ops.convert_to_tensor(v)) for v in variables]
    return [ops.copy(v) for v in values] if keras.backend.backend() == "torch" else values


def assign_each(variables: list[keras.Variable], new_value: Tensor, *args: Any) -> None:
    """Replace each variable by `new_value(i, value, *args)`, of the variable at place `i`.

    Args:
        new_value: a function that leaves the variable alone if it returns the value as it came.
        args: lists with a tensor for each variable, of which the function gets its variable's.
    """
    if replica_context() is not None:
        _assign_each_on_every_replica(variables, new_value, args)
        return
    for i, (v, *of_this) in enumerate(zip(variables, *args, strict=True)):
        old = ops.stop_gradient(ops.convert_to_tensor(v))
        new = new_value(i, old, *map(ops.stop_gradient, of_this))
        if new is not old:
            v.assign(ops.cast(new, v.dtype))


def assign_where(due: Tensor | None, groups: Any, equation: Callable[..., Any], *args: Any) -> None:
    """Replace each group of variables by `equation(*group, *args)` where that is due.

    New values obey the constraints of their variables. While no group is due, nothing is computed
    and no variable is touched. Where all are, new values are not merged with old ones.

    Args:
        due: a boolean vector with an entry for each group, or None: all are due.
        groups: lists of variables that have one shape and live together, such as a weight and
            its moving average.
        equation: from tensors, one for each variable of the group, to their new values. A tensor
            that it returns as it came leaves its variable alone. A list has one for each group.
        args: more vectors or lists with an entry for each group, which the equation gets.
    """
    if not groups:
        return

    def new_values(i, old, due, *args):
        """Return the new values of a group, and None for those that stay."""
        of_group = equation[i] if isinstance(equation, list) else equation
        triples = zip(groups[i], old, of_group(*old, *args), strict=True)
        new = [None if n is o else _allowed(v, _apart(n, old)) for v, o, n in triples]
        if due is None:
            return new
        return [n if n is None else ops.where(due, n, o) for o, n in zip(old, new, strict=True)]

    def changes(due):
        """Return pairs of a variable and its new value."""
        rows = zip(groups, *(_entries(a, len(groups)) for a in (due, *args)), strict=True)
        pairs = []
        for i, (group, *of_group) in enumerate(rows):
            new = new_values(i, [ops.stop_gradient(v) for v in group], *of_group)
            pairs += [(v, n) for v, n in zip(group, new, strict=True) if n is not None]
        return pairs

    if replica_context() is not None:
        _assign_on_every_replica(groups, new_values, due, args)
    elif due is None:
        _assign(changes(None))
    else:
        _assign_if_due(due, changes)


def _entries(vector, count):
    """Return the entries of a vector, all at once."""
    if vector is None:
        return [None] * count
    return vector if isinstance(vector, list) else ops.unstack(vector, count)


def _apart(value, old):
    """Return a copy of a value that another variable holds: PyTorch assigns in place."""
    return ops.copy(value) if any(value is o for o in old) else value


def _assign(pairs):
    seen = set()
    for variable, value in pairs:  # JAX could not donate two variables that share a buffer
        variable.assign(ops.copy(value) if id(value) in seen else value)
        seen.add(id(value))
    return True


def _assign_if_due(due, changes):
    """Make the changes of all groups, of those that are due, or none."""
    every, some = ops.all(due), ops.any(due)
    which = sum(1 - ops.cast(c, "int32") for c in (every, some))
    if keras.backend.backend() != "jax":
        all_of_them, some_of_them = (lambda d=d: _assign(changes(d)) for d in (None, due))
        ops.switch(which, [all_of_them, some_of_them, lambda: True])
    elif known(some) is None:
        _assign_traced(due, changes, which)
    elif some:  # a Python branch: `lax.cond` compiles at every call
        _assign(changes(None if every else due))


def _assign_traced(due, changes, which):
    """Assign with no side effects inside of a condition, as JAX wants it."""
    changed = []

    def new(due):
        pairs = changes(due)
        changed[:] = [v for v, _ in pairs]
        return [n for _, n in pairs]

    def old():
        return [ops.stop_gradient(v) for v in changed]

    values = ops.switch(which, [lambda: new(None), lambda: new(due), old])
    for variable, value in zip(changed, values, strict=True):
        variable.assign(value)


def either(
    condition: Tensor,
    first: Tensor,
    second: Tensor,
    tensors: Tensor,
    variables: list[keras.Variable],
) -> Any:
    """Run `first(tensors)` where the condition holds and `second(tensors)` elsewhere.

    Unlike `ops.cond` it allows both to assign variables and to apply an optimizer.

    Args:
        condition: a boolean scalar, the same on every replica.
        first: a function of the tensors.
        second: another one.
        tensors: a list; None may be among them.
        variables: all that one of the functions may assign.
    """
    if keras.backend.backend() == "jax":
        value = known(condition)
        if value is None:
            both = [_stateless(f, tensors, variables) for f in (first, second)]
            for v, new in zip(variables, ops.cond(condition, *both), strict=True):
                v.assign(new)
        else:
            (first if value else second)(tensors)
    elif replica_context() is not None:
        _either_on_replicas(condition, first, second, tensors)
    else:
        ops.cond(condition, lambda: first(tensors), lambda: second(tensors))


def _stateless(function, tensors, variables):
    """Return a function that gives the values of the variables after `function(tensors)`."""
    values = [v.value for v in variables]

    def run():
        with keras.StatelessScope(list(zip(variables, values, strict=True))) as scope:
            function(tensors)
            return [scope.get_current_value(v) for v in variables]

    return run


def _either_on_replicas(condition, first, second, tensors):
    """Run one of them under `tf.distribute`, where no optimizer is applied inside a condition."""
    import tensorflow as tf

    def across(strategy, condition, tensors):
        def branch(function):
            def run():
                strategy.extended.call_for_each_replica(function, args=(tensors,))
                return True

            return run

        condition = strategy.experimental_local_results(condition)[0]
        return tf.cond(condition, branch(first), branch(second))

    tf.distribute.get_replica_context().merge_call(across, args=(condition, tensors))


def _allowed(variable, value):
    """Return a value in the variable's dtype and under its constraint."""
    constraint = getattr(variable, "constraint", None)
    value = ops.cast(value, variable.dtype)
    return value if constraint is None else constraint(value)


def known(condition: Tensor) -> Any:
    """Return a condition as True or False, or None while it is traced."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return bool(condition) if tf.executing_eagerly() else None
    if keras.backend.backend() != "jax":
        return bool(condition)
    import jax

    try:
        return bool(condition)
    except jax.errors.TracerBoolConversionError:
        return None


def _assign_each_on_every_replica(variables, new_value, args):
    import tensorflow as tf

    def update(strategy, *args):
        for i, (v, *of_this) in enumerate(zip(variables, *args, strict=True)):
            on_this, v = functools.partial(on_device, i), getattr(v, "value", v)
            strategy.extended.update(v, on_this, args=of_this, group=False)

    def on_device(i, v, *args):
        old = tf.convert_to_tensor(v)
        new = new_value(i, old, *args)
        if new is not old:
            v.assign(tf.cast(new, v.dtype))

    tf.distribute.get_replica_context().merge_call(update, args=args)


def _assign_on_every_replica(groups, new_values, due, args):
    import tensorflow as tf

    due = ops.ones(len(groups), "bool") if due is None else due

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
            new = new_values(i, old, due[i], *(a[i] for a in args))
            for variable, value in zip(group, new, strict=True):
                if value is not None:
                    variable.assign(value)
            return True

        return tf.cond(condition, assign, lambda: False)

    condition = ops.any(due)
    tf.distribute.get_replica_context().merge_call(update, args=(condition, due, *args))
