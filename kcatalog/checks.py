"""Argument checks: the one place where argument errors are worded.

Each check returns the value it was given, so a constructor reads

    self.rate = checks.number(self, "rate", rate, "[0, 1)")

and the same text, "[0, 1)", is the rule a user reads, the comparison that is made, what
`kcatalog show` prints and what the conformance suite steps over to see the error.
"""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


class Interval:
    """A range in mathematical notation: "[0, 1)", "(0, inf)", "[1, inf)".

    >>> 0 in Interval("[0, 1)"), 1 in Interval("[0, 1)"), 7 in Interval("[1, inf)")
    (True, False, True)
    """

    def __init__(self, text: str):
        low, high = text[1:-1].split(",")
        self.text, self.low, self.high = text, float(low), float(high)
        self.closed_low, self.closed_high = text[0] == "[", text[-1] == "]"

    def __contains__(self, value: float) -> bool:
        above = value >= self.low if self.closed_low else value > self.low
        below = value <= self.high if self.closed_high else value < self.high
        return above and below and not math.isnan(value)

    def outside(self) -> list[float]:
        """Values just beyond each end, for tests."""
        ends = [(self.low, self.closed_low, -1), (self.high, self.closed_high, 1)]
        return [e + sign if closed else e for e, closed, sign in ends if math.isfinite(e)]


def error(owner: object, name: str, rule: str, value: object, fix: str = "") -> ValueError:
    """Make the argument error: class, argument, rule, received value and fix."""
    owner = owner if isinstance(owner, str) else type(owner).__name__
    received = f"Received: {name}={value!r} ({type(value).__name__})."
    return ValueError(f"{owner}: `{name}` must be {rule}. {received} {fix}".strip())


def closest(value: object, options: Iterable[str]) -> str:
    """ "Did you mean ...?" for a misspelt name, or the list of options.

    >>> closest("cosin", ["cosine", "euclidean"])
    "Did you mean 'cosine'?"
    """
    options = list(options)
    match = difflib.get_close_matches(str(value).lower(), [str(o).lower() for o in options], n=1)
    if match:
        original = next(o for o in options if str(o).lower() == match[0])
        return f"Did you mean {original!r}?"
    return f"Use one of: {', '.join(map(repr, options))}."


def number(owner: object, name: str, value: T, interval: str, *, optional: bool = False) -> T:
    """Check a finite real number within `interval` (or None where `optional`)."""
    if optional and value is None:
        return value
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value not in Interval(interval):
        either = " or None" if optional else ""
        raise error(owner, name, f"a number in {interval}{either}", value, _nearest(interval))
    return value


def integer(owner: object, name: str, value: T, interval: str, *, optional: bool = False) -> T:
    """Check a whole number within `interval` (or None where `optional`)."""
    if optional and value is None:
        return value
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_integer or value not in Interval(interval):
        either = " or None" if optional else ""
        raise error(owner, name, f"an integer in {interval}{either}", value, _nearest(interval))
    return value


def pair(owner: object, name: str, value: T, interval: str, *, optional: bool = False) -> T:
    """Check a size in pixels: a whole number within `interval`, or two, for height and width."""
    if optional and value is None:
        return value
    sizes = value if isinstance(value, list | tuple) else (value, value)
    try:
        for size in sizes if len(sizes) == 2 else (None,):
            integer(owner, name, size, interval)
    except ValueError as e:
        either = " or None" if optional else ""
        rule = f"an integer in {interval}, or two of them{either}"
        raise error(owner, name, rule, value, _nearest(interval)) from e
    return value


def numbers_list(owner: object, name: str, values: T, interval: str) -> T:
    """Check a list or tuple of at least one finite real number within `interval`."""
    rule = f"a list of numbers in {interval}"
    if not isinstance(values, list | tuple) or not values:
        fix = f"Write {name}.tolist()." if hasattr(values, "tolist") else ""
        raise error(owner, name, rule, values, fix)
    try:
        for value in values:
            number(owner, name, value, interval)
    except ValueError as e:
        raise error(owner, name, rule, values, f"Replace {value!r}.") from e
    return values


def names(owner: object, name: str, values: T) -> T:
    """Check a list or tuple of at least one string."""
    strings = isinstance(values, list | tuple) and all(isinstance(v, str) for v in values)
    if not strings or not values:
        fix = f"Write {name}=({values!r},)." if isinstance(values, str) else ""
        raise error(owner, name, "a list of names", values, fix)
    return values


def axes(owner: object, name: str, value: T) -> T:
    """Check an axis, or a list or tuple of at least one."""
    several = value if isinstance(value, list | tuple) else [value]
    if not several or not all(isinstance(a, int) and not isinstance(a, bool) for a in several):
        raise error(owner, name, "an integer or a list of integers", value)
    return value


def bits(owner: object, name: str, value: T, shape: tuple[int, ...]) -> T:
    """Check nested lists of 0 and 1 (or of booleans) of this shape, or None."""

    def fits(value, shape):
        if not shape:
            return value in (0, 1)
        listed = isinstance(value, list | tuple) and len(value) == shape[0]
        return listed and all(fits(each, shape[1:]) for each in value)

    if value is not None and not fits(value, shape):
        rule = f"lists of 0 and 1 of shape {shape}, or None"
        fix = f"Write {name}.tolist()." if hasattr(value, "tolist") else ""
        raise error(owner, name, rule, value, fix)
    return value


def choice(owner: object, name: str, value: T, options: tuple[object, ...]) -> T:
    """One of `options`."""
    if not any(value is o or (type(value) is type(o) and value == o) for o in options):
        rule = "one of " + ", ".join(map(repr, options))
        strings = [o for o in options if isinstance(o, str)]
        fix = closest(value, strings) if isinstance(value, str) and strings else ""
        raise error(owner, name, rule, value, "" if fix.startswith("Use") else fix)
    return value


def boolean(owner: object, name: str, value: T) -> T:
    """Check that a value is True or False."""
    if not isinstance(value, bool):
        raise error(owner, name, "True or False", value)
    return value


def instance(
    owner: object,
    name: str,
    value: T,
    types: type | tuple[type, ...],
    rule: str,
    fix: str = "",
) -> T:
    """Check for an instance of `types`, worded as `rule`."""
    if not isinstance(value, types):
        raise error(owner, name, rule, value, fix)
    return value


def rank(owner: object, shape: Sequence[Any], ndim: int, axes: str) -> Sequence[Any]:
    """Check an input shape for `ndim` axes, named in `axes` as "(batch, steps, features)"."""
    if len(shape) != ndim:
        raise error(owner, "input_shape", f"{axes}, {ndim} axes", tuple(shape))
    return shape


def known_axis(owner: object, shape: Sequence[Any], axis: int, meaning: str) -> int:
    """Return the size of `axis`, which has to be known when weights are built."""
    if shape[axis] is None:
        rule = f"a shape whose axis {axis} ({meaning}) is known"
        raise error(owner, "input_shape", rule, tuple(shape), "Give the Input a full shape.")
    return shape[axis]


def channels_shape(owner: object, shape: Sequence[Any], axis: int) -> tuple[int, ...]:
    """Return the shape `(channels, 1, ...)` in which a vector broadcasts along `axis`."""
    if not -len(shape) <= axis < len(shape) or axis % len(shape) == 0:
        rule = f"a shape with the axis {axis} behind that of the batch"
        raise error(owner, "input_shape", rule, tuple(shape))
    channels = known_axis(owner, shape, axis, "channels")
    return (channels,) + (1,) * (len(shape) - 1 - axis % len(shape))


def _nearest(interval: str) -> str:
    """Return a legal value to try instead."""
    i = Interval(interval)
    if math.isfinite(i.low) and math.isfinite(i.high):
        value = (i.low + i.high) / 2 if i.low < i.high else i.low
    else:
        value = i.low + (0 if i.closed_low else 1) if math.isfinite(i.low) else 0.0
    return f"For example: {value:g}."


# --- Keras objects given by name, config or instance ------------------------------------


def activation(owner: object, name: str, value: object) -> Callable[..., Any]:
    """Resolve an activation, given as Keras's name for it or as a function."""
    return _keras_object(owner, name, value, "activations", "a Keras activation or a function")


def initializer(owner: object, name: str, value: object) -> Callable[..., Any]:
    """Resolve an initializer, given as Keras's name for it or as an instance."""
    return _keras_object(owner, name, value, "initializers", "a Keras initializer")


def regularizer(owner: object, name: str, value: object) -> Callable[..., Any] | None:
    """Resolve a regularizer or None, given as Keras's name for it or as an instance."""
    return _keras_object(owner, name, value, "regularizers", "a Keras regularizer or None")


def constraint(owner: object, name: str, value: object) -> Callable[..., Any] | None:
    """Resolve a constraint or None, given as Keras's name for it or as an instance."""
    return _keras_object(owner, name, value, "constraints", "a Keras constraint or None")


NORMALIZATIONS = ("batch", "layer", "group", "instance")


def normalization(owner: object, name: str, value: object) -> Any:
    """Resolve a normalization: one of `NORMALIZATIONS`, a Keras layer, of which it keeps a copy."""
    import keras

    if value is None or (isinstance(value, str) and value in NORMALIZATIONS):
        return value
    if not isinstance(value, keras.layers.Layer):
        names = ", ".join(map(repr, NORMALIZATIONS))
        fix = closest(value, NORMALIZATIONS) if isinstance(value, str) else ""
        fix = fix if fix.startswith("Did") else ""
        raise error(owner, name, f"one of {names}, a Keras layer or None", value, fix)
    return type(value).from_config(value.get_config())  # has no weights of its own


def _keras_object(owner, name, value, module, rule):
    import keras

    try:
        found = getattr(keras, module).get(value)
    except (ValueError, TypeError) as e:
        raise error(owner, name, rule, value) from e
    if found is not None and not callable(found):
        raise error(owner, name, rule, value)
    return found
