"""A part under examination: how to build it and what data to try it on."""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import unittest
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kcatalog import derive, registry
from kcatalog.card import Card, build_args, render_args
from kcatalog.conformance import backend
from kcatalog.registry import Entry

BATCH = 6


class CheckError(AssertionError):
    """A part broke a rule; the message says which and how."""


class CheckSkipped(unittest.SkipTest):
    """A check that cannot be made here, for a reason that is no fault of the part."""


def require(condition: Any, message: str) -> None:
    """Raise `CheckError` unless the condition holds."""
    if not condition:
        raise CheckError(message)


def close(actual: Any, expected: Any, what: str, rtol: float = 1e-4, atol: float = 1e-5) -> None:
    """Require two arrays to agree, and say by how much they do not."""
    actual, expected = np.asarray(actual, "float64"), np.asarray(expected, "float64")
    require(actual.shape == expected.shape, f"{what}: shapes {actual.shape} and {expected.shape}")
    if not np.allclose(actual, expected, rtol=rtol, atol=atol, equal_nan=True):
        worst = np.max(np.abs(actual - expected))
        raise CheckError(f"{what}: values differ, by {worst:.3g} at most")


def finite(value: Any, what: str) -> None:
    """Require every number to be finite."""
    require(np.all(np.isfinite(np.asarray(value, "float64"))), f"{what} is NaN or infinite")


@dataclass(frozen=True, eq=False)
class Subject:
    """One class with what its source and its card say of it."""

    cls: type
    entry: Entry
    card: Card

    @classmethod
    def of(cls, component: type) -> Subject:
        """The subject for a class, with or without a card."""
        entry = registry.describe_class(component)
        return cls(component, entry, entry.card)

    @property
    def name(self) -> str:
        """The class's name."""
        return self.cls.__name__

    @property
    def kind(self) -> str:
        """The kind of part, "schedules" among them."""
        return self.entry.kind

    def described(self) -> str:
        """The part and the data it is tried on, for messages."""
        example = self.card.example
        part = f"{self.name}({render_args(example.args)})"
        if self.kind == "layers":
            shapes = " and ".join(str((BATCH, *shape)) for shape in self.shapes)
            ids = example.predictions == "tokens"
            numbers = f"ids below {example.classes}" if ids else "normal random numbers"
            return f"{part} on {numbers} of shape {shapes}"
        if self.kind in ("losses", "metrics"):
            y_true, y_pred = self.targets_and_predictions()
            predictions = f"{example.predictions} predictions of shape {y_pred.shape}"
            return f"{part} on {predictions} and {example.targets} targets of shape {y_true.shape}"
        if self.kind in ("regularizers", "constraints", "initializers"):
            return f"{part} on a weight of shape {example.shape}"
        return part

    @property
    def tags(self) -> tuple[str, ...]:
        """The card's claims."""
        return self.card.tags

    @property
    def has_card(self) -> bool:
        """True where the class bears `@component`; without, it claims nothing."""
        return registry.card_of(self.cls) is not None

    @property
    def adapted(self) -> bool:
        """True of a layer with several inputs or outputs, or of ids: see `adapter.Adapter`."""
        shape = self.card.example.shape or ()
        return self.kind == "layers" and (
            self.card.example.predictions == "tokens" or any(isinstance(n, tuple) for n in shape)
        )

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shape of one sample of each input of a layer."""
        shape = self._shape("input")
        return list(shape) if any(isinstance(n, tuple) for n in shape) else [shape]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sample of `inputs`."""
        return (sum(map(math.prod, self.shapes)),) if self.adapted else self.shapes[0]

    def accepts(self, name: str) -> bool:
        """Return whether the constructor takes an argument, by its name or among `**kwargs`."""
        parameters = inspect.signature(self.cls.__init__).parameters.values()
        return name in self.signature or any(p.kind is p.VAR_KEYWORD for p in parameters)

    @functools.cached_property
    def signature(self) -> dict[str, inspect.Parameter]:
        """Constructor parameters by name, without self, *args and **kwargs."""
        if self.has_card:
            return derive.arguments(self.cls)
        parameters = inspect.signature(self.cls.__init__).parameters.values()
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        return {p.name: p for p in list(parameters)[1:] if p.kind in named}

    def make(self, **overrides: Any) -> Any:
        """The card's example, built afresh, with some arguments replaced.

        A class without a card may take none of Keras's own arguments. Then `reduction` is set on
        the loss, and `dtype` remains its default.
        """
        later = {}
        if not self.has_card:
            later = {
                n: overrides.pop(n)
                for n in _KERAS_ARGUMENTS
                if n in overrides and not self.accepts(n)
            }
        args = {n: _afresh(v) for n, v in build_args(self.card.example.args).items()}
        part = self.cls(**{**args, **overrides})
        if "reduction" in later:
            part.reduction = later["reduction"]
        if all(isinstance(v, bool | int | float | str | None) for v in overrides.values()):
            policy = keras.config.dtype_policy().name
            origin = sorted({**overrides, **later}.items())
            backend.made_from(part, self, policy, *origin)
        return part

    @contextlib.contextmanager
    def precision(self, policy: str) -> Iterator[dict[str, str]]:
        """Yield the arguments with which a layer computes in a dtype policy while this lasts.

        Layers inside a layer without a card rarely take its policy, so it is Keras's default.
        """
        if self.has_card:
            yield {"dtype": policy}
            return
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            yield {}
        finally:
            keras.config.set_dtype_policy(before)

    def rng(self) -> np.random.Generator:
        """The same random numbers for every check of this part."""
        return np.random.default_rng(sum(map(ord, self.name)))

    def inputs(self, batch: int = BATCH, dtype: str = "float32") -> np.ndarray:
        """A batch of input for a layer."""
        shape = self.input_shape
        if self.card.example.predictions == "tokens":  # halfway to the next, so that small steps
            ids = self.rng().integers(0, self.card.example.classes, (batch, *shape))
            return (ids + 0.5).astype(dtype)  # of the checks on gradients change none
        return self.rng().normal(size=(batch, *shape)).astype(dtype)

    def weight(self, dtype: str = "float32") -> np.ndarray:
        """A weight for a regularizer, constraint or initializer; for some, outputs of a layer."""
        w = self.rng().normal(size=self._shape("weight"))
        if self.card.example.predictions == "probabilities":
            w = np.exp(w) / np.exp(w).sum(-1, keepdims=True)
        return w.astype(dtype)

    def targets_and_predictions(
        self, batch: int = BATCH, dtype: str = "float32"
    ) -> tuple[np.ndarray, np.ndarray]:
        """`y_true` and `y_pred` of the kind that the card's example names."""
        example, rng, shape = self.card.example, self.rng(), self._shape("predictions")
        y_pred = rng.normal(size=(batch, *shape))
        if example.predictions == "probabilities":
            y_pred = np.exp(y_pred) / np.exp(y_pred).sum(-1, keepdims=True)
        elif example.predictions == "cosines":
            y_pred = np.tanh(y_pred)
        elif example.predictions == "boxes":
            y_pred = _boxes(rng, y_pred.shape)
        classes = example.classes or (shape[-1] if shape else 2)
        if example.predictions == "tokens":
            y_pred = rng.integers(0, classes, y_pred.shape)
        one_each = (batch, *(example.target_shape or ()))
        labels = np.resize(np.arange(classes), one_each)
        each = y_pred.shape if example.target_shape is None else one_each
        y_true = {
            "labels": lambda: rng.permutation(labels.ravel()).reshape(one_each).astype("int32"),
            "one_hot": lambda: np.eye(classes)[rng.permutation(labels)].astype(dtype),
            "binary": lambda: rng.integers(0, 2, each).astype(dtype),
            "signs": lambda: (2 * rng.integers(0, 2, each) - 1).astype(dtype),
            "boxes": lambda: _boxes(rng, y_pred.shape).astype(dtype),
            "real": lambda: rng.normal(size=y_pred.shape).astype(dtype),
        }[example.targets]()
        return y_true, y_pred.astype(dtype)

    def right_and_wrong(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """`(y_true, y_pred)` of perfect predictions, and of predictions wrong for every sample."""
        y_true, y_pred = self.targets_and_predictions()
        right, wrong = y_true, 1 - y_true if self.card.example.targets == "binary" else -y_true
        if self.card.example.predictions == "tokens":
            wrong = (y_true + 1) % self.card.example.classes
        elif self.card.example.targets in ("labels", "one_hot"):
            labels = y_true.argmax(-1) if self.card.example.targets == "one_hot" else y_true
            each = labels + 1
            if "embeddings" in self.tags:  # a class's first, second, ... at one place with others'
                each = np.array([np.sum(labels[:i] == y) for i, y in enumerate(labels)])
            corners = 10 * np.eye(y_pred.shape[-1])
            right, wrong = corners[labels], corners[each % y_pred.shape[-1]]
        if self.card.example.predictions == "probabilities":
            right, wrong = (np.exp(p) / np.exp(p).sum(-1, keepdims=True) for p in (right, wrong))
        return [(y_true, p.astype(y_pred.dtype)) for p in (right, wrong)]

    def _shape(self, what: str) -> tuple[int, ...]:
        shape = self.card.example.shape
        require(
            shape is not None,
            f"{self.name}: the card's example must give `shape`, the {what} shape to try it on, "
            "for instance example=Example({...}, shape=(8, 8, 3))",
        )
        return shape


_KERAS_ARGUMENTS = {"dtype", "reduction"}


def _afresh(value):
    """Return a copy of a Keras object among arguments: parts that share it are not alike."""
    if isinstance(value, list | tuple):
        return type(value)(map(_afresh, value))
    own = isinstance(value, type) or not hasattr(value, "get_config")
    return value if own else type(value).from_config(value.get_config())


def _boxes(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Boxes that are valid as two corners, and as a corner or a centre with a size."""
    corner, size = rng.uniform(0, 0.5, (*shape[:-1], 2)), rng.uniform(0.1, 0.5, (*shape[:-1], 2))
    return np.concatenate([corner, corner + size], axis=-1)
