"""Compares an optimizer's path with a peer's, or with loops written from the paper."""

from contextlib import contextmanager

import keras
import numpy as np
from keras import ops

from kcatalog.conformance import backend
from kcatalog.optimizers.wrappers.sharpness_aware import SharpnessAware
from tests.optimizers.problems import KEPT, PROBLEMS, STEPS, flat

TOLERANCE = {"float32": 1e-5, "float64": 1e-9}


def walk(optimizer, problem, dtype="float32"):
    """Return the weights, one long vector, at the steps in `KEPT`."""
    variables = [keras.Variable(w, dtype=dtype) for w in problem.start()]
    step, kept = _step(optimizer, variables), []
    if sharpness_aware := isinstance(optimizer, SharpnessAware):
        uphill = _perturbed(optimizer, variables)

    def gradients(weights):
        weights = [ops.convert_to_numpy(w).astype("float64") for w in weights]
        return [ops.convert_to_tensor(g, dtype) for g in problem.gradients(weights)]

    for t in range(1, STEPS + 1):
        first = gradients([v.value for v in variables])
        if sharpness_aware:
            with optimizer.second_gradients():
                step(gradients(uphill(first)))
        else:
            step(first)
        if t in KEPT:
            kept.append(flat([ops.convert_to_numpy(v.value) for v in variables]))
    return np.stack(kept)


def _step(optimizer, variables):
    """Return a function of gradients that makes a step, compiled where that is possible."""
    if backend.NAME == "torch" or not isinstance(optimizer, keras.optimizers.Optimizer):
        return lambda gradients: optimizer.apply(gradients, variables)
    optimizer.build(variables)
    if backend.NAME == "tensorflow":
        return backend.compiled(lambda gradients: optimizer.apply(gradients, variables))
    program = backend.compiled(optimizer.stateless_apply)

    def step(gradients):
        state = [v.value for v in optimizer.variables]
        weights, state = program(state, gradients, [v.value for v in variables])
        for v, value in zip([*variables, *optimizer.variables], [*weights, *state], strict=True):
            v.assign(value)

    return step


def _perturbed(optimizer, variables):
    """Return a function of gradients to the weights uphill."""

    def perturbed(gradients):
        return optimizer.perturbed(gradients, variables)

    return backend.compiled(perturbed) if backend.NAME == "tensorflow" else perturbed


def assert_same_paths(make, expected, dtypes=("float32", "float64"), tolerance=TOLERANCE):
    """Require the paths of `make()` on all problems to be the expected ones.

    Args:
        make: returns a new optimizer.
        expected: from the name of a problem to the weights at the steps in `KEPT`: a golden file,
            or what `problems.paths` returns.
    """
    for dtype in dtypes:
        for name, problem in PROBLEMS.items():
            with _precision(dtype):
                path = walk(make(), problem, dtype)
            limit, message = tolerance[dtype], f"{name} in {dtype}"
            np.testing.assert_allclose(path, expected[name], limit, limit, err_msg=message)


@contextmanager
def _precision(dtype):
    """Compute in this dtype, the learning rate included: Keras keeps it in its `floatx`."""
    keras.config.set_floatx(dtype)
    try:
        with backend.float64():
            yield
    finally:
        keras.config.set_floatx("float32")
