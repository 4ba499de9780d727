"""Classes without a card: each fault in them is found, and what is right passes."""

import warnings

import pytest

from kcatalog.conformance import CheckSkipped, checks_for
from tests.conformance.strangers import STRANGERS


@pytest.mark.parametrize("cls", STRANGERS, ids=lambda cls: cls.__name__)
def test_checks_of_a_stranger(cls):
    arguments, faults = STRANGERS[cls]
    found = {}
    for check in checks_for(cls, **arguments):
        if check.slow:
            continue
        try:
            with warnings.catch_warnings():
                check.run()
        except CheckSkipped:
            continue
        except Exception as e:  # a fault shows as whatever the part raises
            found[check.name] = e
    assert set(found) == faults, found
