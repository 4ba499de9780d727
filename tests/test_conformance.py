"""Every part in the catalog passes every check of its kind; nobody lists tests by hand."""

import pytest

from kcatalog import registry
from kcatalog.conformance import checks_for


def _cases():
    for entry in registry.find(origin="kcatalog"):
        try:
            checks = checks_for(entry.load())
        except LookupError:  # not exported: the house rules fail and say so
            continue
        for check in checks:
            reason = check.exemption
            marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
            marks += [pytest.mark.slow] if check.slow else []
            marks += [pytest.mark.once] if check.once else []
            yield pytest.param(check, id=check.id, marks=marks)


@pytest.mark.parametrize("check", list(_cases()))
def test_conformance(check):
    check.run()
