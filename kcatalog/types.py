"""Types in the signatures of parts, for people and type checkers."""

from collections.abc import Callable
from typing import Any, TypeAlias

Tensor: TypeAlias = Any
"""A tensor of any backend, a `keras.KerasTensor`, or an array or number that converts to one."""

Shape: TypeAlias = tuple[int | None, ...]
"""The sizes of a tensor's axes; None where a size is unknown."""

KerasObject: TypeAlias = str | dict[str, Any] | Callable[..., Any]
"""An activation, initializer, regularizer or constraint: its name, its config, or the object."""

LearningRate: TypeAlias = float | Callable[..., Any]
"""A number or a `keras.optimizers.schedules.LearningRateSchedule`."""
