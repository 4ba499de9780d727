"""The card of a part: plain data, readable without loading a backend."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

# The closed vocabulary. Every tag is a claim, and the check named behind it makes it true
# (`kcatalog.conformance`); a tag without a check would be a promise nobody keeps.
TAGS = {
    # layers
    "identity-at-inference": "returns its input unchanged when not training",
    "shape-preserving": "output shape equals input shape",
    "random": "draws random numbers in training; the same seed draws the same ones",
    "masking": "reads or passes on Keras masks; padding never changes a real step's result",
    "recurrent": "a causal sequence model: step t depends on steps up to t only",
    "cell": "a recurrent cell, to be run by keras.layers.RNN",
    # losses and metrics
    "in-batch": "a sample's loss depends on the rest of its batch",
    "integer-labels": "targets are class indices of shape (batch,) or (batch, 1)",
    "one-hot-labels": "one-hot rows as targets mean the same as class indices",
    "logits": "predictions are scores of classes; the right one rising lowers the loss",
    "embeddings": "predictions are embeddings; rotating all of them changes nothing",
    "streaming": "updating by parts gives the same result as updating at once",
    # regularizers, constraints, initializers
    "penalty": "a non-negative scalar, zero for zero weights unless the card says otherwise",
    "activity": "of a layer's outputs: a sum over samples, which Keras divides by their number",
    "projection": "applying it twice equals applying it once",
    "bias": "initializes a bias vector",
    # optimizers
    "wrapper": "wraps another optimizer and keeps that one's settings working",
    "averages-weights": "changes which weights the model ends with, not the gradient",
    "transforms-gradients": "changes the gradient before the wrapped optimizer sees it",
    "second-gradient": "steps by a second gradient of the batch, which the training step computes",
    # schedules, callbacks and samplers
    "schedule": "maps a step to a finite, non-negative learning rate",
    "monitoring": "watches training and leaves the weights as they would be without it",
    "balanced": "every batch holds equally many samples of each of its classes",
    "sharded": "the shards of a batch are of one size, disjoint, and together the batch",
    "resumable": "begun at any epoch, it yields what it would have come to by itself",
}


@dataclass(frozen=True)
class Paper:
    """The source of a part. `where` names the place in the paper (equation, section)."""

    title: str
    authors: str
    year: int
    link: str
    where: str = ""

    def __str__(self) -> str:
        place = f", {self.where}" if self.where else ""
        return f"{self.authors} ({self.year}). {self.title}{place}. {self.link}"


@dataclass(frozen=True, init=False)
class Part:
    """An object yet to be built, written as its public path and arguments.

    >>> print(Part("keras.optimizers.SGD", learning_rate=0.1))
    keras.optimizers.SGD(learning_rate=0.1)
    """

    path: str
    args: dict[Any, Any]

    def __init__(self, path: str, **args: Any):
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "args", args)

    def build(self) -> Any:
        """Import the class and construct the object."""
        module, name = self.path.rsplit(".", 1)
        return getattr(importlib.import_module(module), name)(**build_args(self.args))

    def __repr__(self) -> str:
        return f"{self.path}({render_args(self.args)})"


def build_args(args: dict[Any, Any]) -> dict[Any, Any]:
    """Arguments with every `Part` among them built afresh, those in lists too."""

    def built(value):
        if isinstance(value, list | tuple):
            return type(value)(map(built, value))
        return value.build() if isinstance(value, Part) else value

    return {k: built(v) for k, v in args.items()}


def render_args(args: dict[Any, Any]) -> str:
    """Arguments as source code."""
    return ", ".join(f"{k}={v!r}" for k, v in args.items())


@dataclass(frozen=True)
class Example:
    """Arguments that differ from the defaults, and data to try them on.

    shape: one sample's shape without the batch axis (layers, predictions of losses and
        metrics), or the whole weight's shape (regularizers, constraints, initializers).
    targets: what a loss or metric compares with: "labels" (class indices), "one_hot",
        "binary" (0/1 of the predictions' shape), "signs" (-1/+1), "boxes", or "real".
    predictions: what a loss, metric or regularizer is given: "real" (scores, embeddings) or
        "probabilities" (positive, summing to 1 over the last axis), "cosines" (from -1 to 1),
        "boxes" (four positive numbers that are a box in each of Keras's formats), or "tokens"
        (ids from 0 to below `classes`).
    target_shape: one sample's shape of "labels" (a class for each pixel, say), of "signs" or of
        "binary", where it is not that of one label or of the predictions.
    classes: number of classes when `targets` is "labels" and the last axis of `shape`
        does not count them (embeddings).
    """

    args: dict[Any, Any] = field(default_factory=dict)
    shape: tuple[int, ...] | None = None
    targets: str = "real"
    predictions: str = "real"
    target_shape: tuple[int, ...] | None = None
    classes: int | None = None


# Keras calls them up and down. "higher" is better, or "lower" is.
DIRECTIONS = ("higher", "lower")


@dataclass(frozen=True, init=False)
class By:
    """The direction of a metric that depends on one of its arguments.

    >>> By("pairs", positive="lower", negative="higher").directions["positive"]
    'lower'
    """

    argument: str
    directions: dict[str, str]

    def __init__(self, argument: str, **directions: str):
        object.__setattr__(self, "argument", argument)
        object.__setattr__(self, "directions", directions)

    def __str__(self) -> str:
        cases = (f"{d} for {self.argument}={v!r}" for v, d in self.directions.items())
        return ", ".join(cases)


# --- the search space: what the tuner may try for an argument ---------------------------


@dataclass(frozen=True)
class Float:
    """A real number between `low` and `high`, drawn evenly (or evenly in log)."""

    low: float
    high: float
    log: bool = False

    def __contains__(self, value: Any) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and self.low <= value <= self.high

    def corners(self) -> list[Any]:
        """Return the extremes, and the middle."""
        middle = math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2
        return [self.low, middle, self.high]

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{' (log)' if self.log else ''}"


@dataclass(frozen=True)
class Int:
    """A whole number between `low` and `high`, both included."""

    low: int
    high: int
    step: int = 1
    log: bool = False

    def __contains__(self, value: Any) -> bool:
        return (
            isinstance(value, int)
            and not isinstance(value, bool)
            and self.low <= value <= self.high
            and (self.log or (value - self.low) % self.step == 0)
        )

    def corners(self) -> list[Any]:
        """Return the extremes."""
        return [self.low, self.low + (self.high - self.low) // self.step * self.step]

    def __str__(self) -> str:
        return f"{self.low} to {self.high}{' (log)' if self.log else ''}"


@dataclass(frozen=True, init=False)
class Choice:
    """One of the given values."""

    values: tuple[Any, ...]

    def __init__(self, *values: Any):
        object.__setattr__(self, "values", values)

    def __contains__(self, value: Any) -> bool:
        return any(value == v and type(value) is type(v) for v in self.values)

    def corners(self) -> list[Any]:
        """Every value."""
        return list(self.values)

    def __str__(self) -> str:
        return " | ".join(repr(v) for v in self.values)


Space = Float | Int | Choice


@dataclass(frozen=True)
class Card:
    """The facts about a part that its code and docstring do not already say.

    paper: where it comes from. equation: the idea in one line, where it is not the first formula
    under Maths. tags: claims from `TAGS`.
    better: of a metric, "higher" or "lower"; `By` where an argument decides.
    space: argument -> what the tuner may try. example: arguments and data to try it on.
    exemptions: conformance check -> why this part cannot pass it (a strict xfail).
    """

    paper: Paper | None = None
    equation: str = ""
    better: str | By | None = None
    tags: tuple[str, ...] = ()
    space: dict[str, Space] = field(default_factory=dict)
    example: Example = field(default_factory=Example)
    exemptions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.tags, str):
            raise ValueError(
                f"Card: `tags` must be a tuple. Received: tags={self.tags!r} (str). "
                f"Add a comma: tags=({self.tags!r},)"
            )
        unknown = sorted(set(self.tags) - set(TAGS))
        if unknown:
            raise ValueError(
                f"Card: `tags` must be among {sorted(TAGS)}. Received: tags={self.tags!r}. "
                f"Remove {unknown}: each tag is read by a check of its own."
            )

        stated = self.better.directions.values() if isinstance(self.better, By) else [self.better]
        if self.better is not None and not set(stated) <= set(DIRECTIONS):
            raise ValueError(
                f'Card: `better` must be "higher", "lower" or By(argument, value="higher", ...). '
                f"Received: better={self.better!r} ({type(self.better).__name__})."
            )

    def corners(self) -> Iterator[dict[Any, Any]]:
        """Argument sets that reach each end of each search-space dimension once."""
        for name, space in self.space.items():
            for value in space.corners():
                yield {name: value}
