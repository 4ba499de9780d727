"""Checks for learning-rate schedules."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from kcatalog.conformance import backend
from kcatalog.conformance.subject import Subject, close, finite, require
from kcatalog.conformance.suite import check

STEPS = (0, 1, 2, 9, 10, 11, 100, 1000, 10**6)


@check("schedules", tag="schedule")
def rates_valid(s: Subject) -> None:
    """At every step the rate is one finite number, not negative."""
    schedule = s.make()
    rates = np.array([backend.as_numpy(schedule(step)) for step in STEPS])
    require(rates.shape == (len(STEPS),), f"a rate has shape {rates.shape[1:]}")
    finite(rates, "a learning rate")
    require(np.all(rates >= 0), f"a learning rate is negative: {rates}")


@check("schedules", when=lambda s: backend.COMPILES, variants=backend.MODES)
def compiled_equals_eager(s: Subject, mode: str) -> None:
    """With the step a traced integer it gives what it gives for a number."""
    schedule = s.make()
    function = backend.compiled(schedule, xla=mode == "xla")
    for step in STEPS:
        compiled = backend.as_numpy(function(ops.convert_to_tensor(step, dtype="int32")))
        close(compiled, backend.as_numpy(schedule(step)), f"step {step}")


@check("schedules", when=lambda s: s.has_card)
def computes_in_floatx(s: Subject) -> None:
    """It gives the same rates in float64, and in float32 where Keras's `floatx` is coarser."""
    schedule, before = s.make(), keras.config.floatx()
    expected = [backend.as_numpy(schedule(step)) for step in STEPS]
    # Where it holds a schedule of Keras, that one rounds to float16.
    for floatx, dtype, rtol in (("float64", "float64", 1e-4), ("float16", "float32", 1e-2)):
        keras.config.set_floatx(floatx)
        try:
            with backend.float64():
                rates = [schedule(ops.convert_to_tensor(step, "int32")) for step in STEPS]
                dtypes = {keras.backend.standardize_dtype(r.dtype) for r in rates}
                rates = [backend.as_numpy(r) for r in rates]
        finally:
            keras.config.set_floatx(before)
        require(dtypes == {dtype}, f"with the floatx {floatx} a rate is of {dtypes}")
        close(rates, expected, f"rates with the floatx {floatx}", rtol, rtol / 10)


@check("schedules")
def applied_by_an_optimizer(s: Subject) -> None:
    """An optimizer given the schedule moves a weight by rate times gradient, step by step."""
    schedule, w = s.make(), keras.Variable(np.zeros(1, "float32"))
    optimizer = keras.optimizers.SGD(schedule)
    total = 0.0
    for step in range(4):
        optimizer.apply([ops.ones(1)], [w])
        total += float(backend.as_numpy(schedule(step)))
        close(backend.as_numpy(w), [-total], f"the weight after step {step}", atol=1e-6)
