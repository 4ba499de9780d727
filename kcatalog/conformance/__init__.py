"""The rules every part keeps, as checks that anyone can run on a class of their own.

>>> import keras, kcatalog
>>> results = check_component(kcatalog.regularizers.GroupLasso)
>>> all(r.passed for r in results)
True
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kcatalog.conformance import (  # noqa: F401 - each module registers its checks
    callbacks,
    calls,
    common,
    exports,
    in_batch,
    layer_precision,
    layer_shapes,
    layers,
    leftovers,
    loss_input,
    losses,
    masks,
    metric_input,
    metrics,
    optimizers,
    recurrent,
    samplers,
    saving,
    schedules,
    settings,
    weights,
    wrappers,
)
from kcatalog.conformance.parametrize import parametrize
from kcatalog.conformance.subject import CheckError, CheckSkipped
from kcatalog.conformance.suite import Check, checks_for, verified_tags
from kcatalog.types import Shape

__all__ = [
    "Check",
    "CheckError",
    "CheckSkipped",
    "Result",
    "check_component",
    "check_one_by_one",
    "checks_for",
    "parametrize",
    "verified_tags",
]


@dataclass(frozen=True)
class Result:
    """The outcome of one check: `error` is None, what was wrong, or why the check was skipped."""

    check: Check
    error: Exception | None

    @property
    def passed(self) -> bool:
        """True where the part passed, failed as its card says it must, or was not tried."""
        return self.skipped or (self.error is None) != bool(self.check.exemption)

    @property
    def skipped(self) -> bool:
        """True where the check could not be made, for a reason that is no fault of the part."""
        return isinstance(self.error, CheckSkipped)


def check_component(
    cls: type, args: dict[Any, Any] | None = None, shape: Shape | None = None, **data: Any
) -> list[Result]:
    """Run every check that applies to a class and say how each ended.

    Args:
        cls: a Keras layer, loss, metric, regularizer, constraint, initializer, optimizer,
            schedule, callback or PyDataset class, with `@kcatalog.registry.component(...)` or
            without. Without a card it makes no claims, and what verifies claims is left out.
        args: constructor arguments to build it with. Left out, they are the card's example, or
            none.
        shape: one sample's shape without the batch axis (layers, predictions of losses and
            metrics), or the whole weight's. A layer with several inputs takes a tuple of shapes.
            Left out, it is the card's, or the first of some usual shapes that the class accepts.
        data: further fields of `kcatalog.card.Example`, such as `targets="labels"`. A layer of
            ids takes `predictions="tokens"` and `classes`, the number of ids.

    Returns:
        A `Result` for each check. A warning during a check counts as a failure.

    Raises:
        CheckError: a class without a card cannot be used on any data that was tried.
    """
    return list(check_one_by_one(cls, args, shape, **data))


def check_one_by_one(
    cls: type, args: dict[Any, Any] | None = None, shape: Shape | None = None, **data: Any
) -> Iterator[Result]:
    """Yield the results of `check_component` as the checks end."""
    for one in checks_for(cls, args, shape, **data):
        error = None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                for own in ("__array__ implementation", "Explicitly requested dtype int64"):
                    warnings.filterwarnings("ignore", own)  # Keras's, the latter on JAX
                one.run()
        except Exception as e:  # a broken part may raise anything; the result carries it
            error = e
        yield Result(one, error)
