"""The rules every part keeps, as checks that anyone can run on a class of their own.

>>> import keras, kcatalog
>>> results = check_component(kcatalog.regularizers.GroupLasso)
>>> all(r.passed for r in results)
True
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from kcatalog.conformance import (  # noqa: F401 - each module registers its checks
    callbacks,
    calls,
    common,
    in_batch,
    layers,
    losses,
    metric_input,
    metrics,
    optimizers,
    samplers,
    schedules,
    weights,
    wrappers,
)
from kcatalog.conformance.subject import CheckError
from kcatalog.conformance.suite import Check, checks_for, verified_tags

__all__ = ["Check", "CheckError", "Result", "check_component", "checks_for", "verified_tags"]


@dataclass(frozen=True)
class Result:
    """The outcome of one check: `error` is None, or what was wrong."""

    check: Check
    error: Exception | None

    @property
    def passed(self) -> bool:
        """True where the part passed, or failed as its card says it must."""
        return (self.error is None) != bool(self.check.exemption)


def check_component(cls: type) -> list[Result]:
    """Run every check that applies to a class and say how each ended.

    Args:
        cls: a Keras layer, loss, metric, regularizer, constraint, initializer, optimizer,
            schedule, callback or PyDataset class, with `@kcatalog.registry.component(...)` or
            without. Without a card its default arguments must be enough to build it, and only what
            needs no card is checked.

    Returns:
        A `Result` for each check. A warning during a check counts as a failure.
    """
    results = []
    for one in checks_for(cls):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.filterwarnings("ignore", "__array__ implementation")  # Keras's own
                one.run()
            results.append(Result(one, None))
        except Exception as e:  # a broken part may raise anything; the result carries it
            results.append(Result(one, e))
    return results
