"""Keras's own public parts pass, except for faults that are Keras's and stand in one table."""

import inspect
import re

import keras
import pytest

from kcatalog.conformance import CheckSkipped, checks_for
from tests.conformance.keras_parts import EXAMPLES, FAULTS, NOT_CHECKED

KINDS = (
    "layers",
    "losses",
    "metrics",
    "regularizers",
    "constraints",
    "initializers",
    "optimizers",
    "optimizers.schedules",
)
# Checks that take long, and show of Keras what others show of our parts.
LEFT_OUT = {
    "layers": r"half_precision-mixed_bfloat16|extreme_input-(tiny|huge)|threads_agree|nothing_kept",
    "losses": r"degenerate_input-bfloat16|threads_agree|nothing_kept",
    "metrics": r"half_precision-bfloat16",
    "optimizers": r"resumes|compiled.*|replicas.*|mixed.*|frozen.*|converges-(rosenbrock|logistic)"
    r"|accumulates.*|unscales.*|skips.*|keeps.*|overwrites.*|leaves.*|empty.*"
    r"|learning_rate_rules-(callable|scheduler|plateau)",
}
LONG = re.compile(r"layers\.(.*LSTM|.*GRU|.*RNN|.*Attention|AugMix|Bidirectional|.*Elastic).*")
LEFT_OUT_OF_LONG = ("gradients_exact", "cell_steps", "randomness_seeded")


def _parts():
    for kind in KINDS:
        module = keras
        for name in kind.split("."):
            module = getattr(module, name)
        names = {}
        for name, part in sorted(vars(module).items()):
            if inspect.isclass(part) and (part not in names or part.__name__ == name):
                names[part] = name  # its own where it has several
        yield from ((f"{kind}.{name}", part) for part, name in names.items())


PARTS = dict(_parts())


def _tried(path, check) -> bool:
    known = check.name in FAULTS.get(path, {})
    left_out = re.fullmatch(LEFT_OUT.get(check.subject.kind, ""), check.name)
    too_long = LONG.fullmatch(path) and check.name in LEFT_OUT_OF_LONG
    return known or not (check.slow or left_out or too_long)


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("path", [p for p in PARTS if p not in NOT_CHECKED])
def test_a_part_of_keras(path):
    checks = [c for c in checks_for(PARTS[path], **EXAMPLES.get(path, {})) if _tried(path, c)]
    found = {}
    for check in checks:
        try:
            check.run()
        except CheckSkipped:
            continue
        except Exception as e:  # a fault shows as whatever the part raises
            found[check.name] = e
    known = FAULTS.get(path, {})
    assert set(found) == set(known), found


def test_every_part_is_tried_or_left_out_for_a_reason():
    named = {*EXAMPLES, *FAULTS, *NOT_CHECKED}
    if tuple(map(int, keras.__version__.split(".")[:2])) >= (3, 15):  # earlier ones have fewer
        assert named <= set(PARTS), "this version of Keras has no such part"
    assert not set(NOT_CHECKED) & {*EXAMPLES, *FAULTS}
