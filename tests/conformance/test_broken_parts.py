"""Each check can fail: for every one there is a part that it, and it alone, must catch."""

import keras
import pytest

from kcatalog.conformance import checks_for, suite
from tests.conformance import (  # noqa: F401 - register their own
    broken_callbacks,
    broken_calls,
    broken_in_batch,
    broken_leftovers,
    broken_losses,
    broken_metrics,
    broken_optimizers,
    broken_samplers,
    broken_weights,
)
from tests.conformance.broken_parts import FOUND_BY
from tests.conformance.strangers import STRANGERS


def _cases():
    for cls, names in FOUND_BY.items():
        for name in sorted(names):
            yield pytest.param(cls, name, id=f"{cls.__name__}-{name}")


@pytest.mark.slow
@pytest.mark.parametrize(("cls", "name"), list(_cases()))
def test_fault_is_found(cls, name):
    (check,) = [c for c in checks_for(cls) if c.name == name] or [None]
    if check is None:
        pytest.skip(f"{name} does not apply on {keras.backend.backend()}")
    with pytest.raises(Exception):  # noqa: B017 - a check fails by whatever the part raises
        check.run()


def test_every_check_can_fail():
    found = [*FOUND_BY.values(), *(faults for _, faults in STRANGERS.values())]
    shown = {name.split("-")[0] for names in found for name in names}
    defined = {rule.function.__name__ for rule in suite._CHECKS}
    assert sorted(defined - shown) == []
