"""Every part in the catalog passes every check of its kind; nobody lists tests by hand."""

import itertools
import zlib
from operator import attrgetter

import pytest

from kcatalog import registry
from kcatalog.conformance import checks_for

# `make test-fast` runs one in eight of the pairs of part and check, `make test-jax` one in two.
STRIDE = 8


def _checks():
    for entry in registry.find(origin="kcatalog"):
        try:
            yield from checks_for(entry.load())
        except LookupError:  # not exported: the house rules fail and say so
            continue


def _cases():
    for name, group in itertools.groupby(
        sorted(_checks(), key=attrgetter("name")), attrgetter("name")
    ):
        checks = list(group)
        first = zlib.crc32(name.encode()) % min(STRIDE, len(checks))  # other parts for each check
        for i, check in enumerate(checks):
            reason = check.exemption
            marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
            marks += [pytest.mark.slow] if check.slow or i % STRIDE != first else []
            marks += [pytest.mark.once] if check.once else []
            marks += [pytest.mark.other_half] if (i - first) % 2 else []
            yield pytest.param(check, id=check.id, marks=marks)


# Part by part, since the checks of one part share what is compiled for it.
CASES = sorted(_cases(), key=attrgetter("id"))


@pytest.mark.parametrize("check", CASES)
def test_conformance(check):
    check.run()
