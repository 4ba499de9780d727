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
# Checks that take long and show nothing that another does not: of two half precisions one is
# tried, and an optimizer is tried by itself, in no model.
LEFT_OUT = re.compile(
    "half_precision-(mixed_)?bfloat16|degenerate_input-bfloat16|extreme_input-(tiny|huge)|threads_agree"
)
LEFT_OUT_OF_OPTIMIZERS = re.compile(
    "resumes.*|compiled_equals_eager|two_replicas.*|mixed_float16|converges-(rosenbrock|logistic)"
)


def _parts():
    for kind in KINDS:
        module = keras
        for name in kind.split("."):
            module = getattr(module, name)
        for name, part in sorted(vars(module).items()):
            if inspect.isclass(part) and part.__name__ == name:  # not what is another's alias
                yield f"{kind}.{name}", part


PARTS = dict(_parts())


def _tried(check) -> bool:
    of_optimizers = check.subject.kind == "optimizers" and LEFT_OUT_OF_OPTIMIZERS
    left_out = any(p.fullmatch(check.name) for p in (LEFT_OUT, of_optimizers) if p)
    return not check.slow and not left_out


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("path", [p for p in PARTS if p not in NOT_CHECKED])
def test_a_part_of_keras(path):
    checks = [c for c in checks_for(PARTS[path], **EXAMPLES.get(path, {})) if _tried(c)]
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
    assert named <= set(PARTS), "this version of Keras has no such part"
    assert not set(NOT_CHECKED) & {*EXAMPLES, *FAULTS}
