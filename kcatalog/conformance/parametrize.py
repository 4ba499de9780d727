"""Conformance as tests of one's own package: a test id for each check."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kcatalog.conformance.suite import checks_for


def parametrize(parts: Iterable[Any]):
    """Return a decorator of a pytest test, which then runs once for each check of each part.

        @kcatalog.conformance.parametrize([MyLayer, (MyLoss, {"args": {"margin": 0.5}})])
        def test_conformance(check):
            check.run()

    A check that a card exempts is a strict xfail with the card's reason.

    Args:
        parts: classes, with a card or without; or pairs of a class and further arguments of
            `kcatalog.conformance.checks_for`: `args`, `shape` and fields of
            `kcatalog.card.Example`.
    """
    import pytest

    cases = []
    for part in parts:
        cls, more = part if isinstance(part, tuple) else (part, {})
        for check in checks_for(cls, **more):
            reason = check.exemption
            marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
            cases.append(pytest.param(check, id=check.id, marks=marks))
    return pytest.mark.parametrize("check", cases)
