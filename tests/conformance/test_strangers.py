"""Classes without a card: each fault in them is found, and what is right passes."""

import warnings

import pytest

from kcatalog import losses, registry
from kcatalog.conformance import CheckSkipped, checks_for
from tests.conformance.strangers import STRANGERS, SignMomentum, TransformerDecoderBlock

LONG = {TransformerDecoderBlock, SignMomentum}


def _cases():
    for cls in STRANGERS:
        yield pytest.param(
            cls, id=cls.__name__, marks=[pytest.mark.slow, pytest.mark.once] if cls in LONG else []
        )


@pytest.mark.parametrize("cls", list(_cases()))
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


def test_a_card_keeps_its_example_where_none_is_given():
    (check, *_) = checks_for(losses.TripletSemiHard, {}, None)
    assert check.subject.card.example == registry.card_of(losses.TripletSemiHard).example
