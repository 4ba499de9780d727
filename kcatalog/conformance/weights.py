"""Checks for what acts on weights: regularizers, constraints, initializers."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from kcatalog.conformance import backend
from kcatalog.conformance.exercise import exact_gradients
from kcatalog.conformance.subject import Subject, close, finite, require
from kcatalog.conformance.suite import check

# --- regularizers -----------------------------------------------------------------------


@check("regularizers", tag="penalty")
def penalty_scalar(s: Subject) -> None:
    """The penalty is one number, not negative, and grows with its factor."""
    value = backend.as_numpy(s.make()(ops.convert_to_tensor(s.weight())))
    require(value.shape == () and value >= 0, f"the penalty is {value!r}")


@check("regularizers", tag="activity")
def sum_over_samples(s: Subject) -> None:
    """A batch repeated pays twice: divided by its size, as Keras does, it pays the same."""
    penalty, h = s.make(), s.weight()
    batches = [ops.convert_to_tensor(b) for b in (h, np.concatenate([h, h]))]
    once, twice = (backend.as_numpy(penalty(b)) for b in batches)
    close(twice, 2 * once, "a batch and the same batch twice")


@check("regularizers")
def gradient_exact(s: Subject) -> None:
    """The gradient equals finite differences in float64."""
    with backend.float64():
        exact_gradients(s.make(), [s.weight("float64")], s.rng(), ["the weight"])


@check("regularizers", variants=("zero", "huge", "tiny"))
def extreme_weights(s: Subject, size: str) -> None:
    """Zero, huge and tiny weights give a finite penalty with a finite gradient."""
    w = ({"zero": 0.0, "huge": 1e4, "tiny": 1e-20}[size] * s.weight()).astype("float32")
    value, (gradient,) = backend.value_and_gradients(s.make(), [w])
    finite(value, "the penalty")
    finite(gradient, "the gradient")


@check("regularizers", "constraints")
def training_in_a_model(s: Subject) -> None:
    """On a Dense kernel or its outputs, two steps of `fit`, by XLA, stay finite."""
    argument = "kernel_regularizer" if s.kind == "regularizers" else "kernel_constraint"
    shape = (4,)
    if "activity" in s.tags:  # a kernel does not have its axes
        argument, shape = "activity_regularizer", (*s.weight().shape[1:-1], 4)
    activation = "sigmoid" if s.card.example.predictions == "probabilities" else None
    dense = keras.layers.Dense(3, activation, **{argument: s.make()})
    model = keras.Sequential([keras.Input(shape), dense])
    model.compile("sgd", "mse", jit_compile=backend.COMPILES)
    x, y = s.rng().normal(size=(8, *shape)), s.rng().normal(size=(8, *shape[:-1], 3))
    finite(model.fit(x, y, epochs=2, verbose=0).history["loss"], "the loss")
    finite(backend.as_numpy(dense.kernel), "the kernel")


@check("regularizers", "constraints", when=lambda s: s.has_card, variants=("float32", "float16"))
def squares_representable(s: Subject, dtype: str) -> None:
    """Weights whose squares overflow get the value that they get in float64."""
    w = ({"float32": 1e30, "float16": 300.0}[dtype] * s.weight()).astype(dtype)
    actual = backend.as_numpy(s.make()(ops.convert_to_tensor(w)))
    with backend.float64():
        expected = backend.as_numpy(s.make()(ops.convert_to_tensor(w.astype("float64"))))
    largest = np.max(np.abs(expected))
    if largest < np.finfo("float32").max:  # a fourth power of 1e30 is infinite, and may be
        unit = max(largest, 1.0)
        close(actual / unit, expected / unit, f"the value in {dtype}", rtol=1e-2, atol=1e-3)


@check("regularizers", "constraints", when=lambda s: s.has_card)
def nan_stays(s: Subject) -> None:
    """A weight with a NaN in it does not come out as a number."""
    w = s.weight()
    w.flat[0] = np.nan
    result = backend.as_numpy(s.make()(ops.convert_to_tensor(w)))
    require(np.isnan(result).any(), "a NaN in the weight is hidden")


# --- constraints ------------------------------------------------------------------------


@check("constraints", tag="projection")
def projection_idempotent(s: Subject) -> None:
    """Applied to its own result, the projection changes nothing."""
    once = s.make()(ops.convert_to_tensor(s.weight()))
    close(backend.as_numpy(s.make()(once)), backend.as_numpy(once), "applied twice")


@check("constraints", variants=("zero", "huge", "tiny", "equal"))
def extreme_values(s: Subject, size: str) -> None:
    """Zero, huge, tiny and equal weights stay finite, in their shape and dtype."""
    scale = {"zero": 0.0, "huge": 1e4, "tiny": 1e-20, "equal": 0.0}[size]
    w = (scale * s.weight() + (size == "equal")).astype("float32")
    result = s.make()(ops.convert_to_tensor(w))
    require(tuple(result.shape) == w.shape, f"shape {result.shape} for a weight of {w.shape}")
    finite(backend.as_numpy(result), "the weight")


@check("constraints", when=lambda s: backend.COMPILES)
def compiled_equals_eager(s: Subject) -> None:
    """With XLA it gives what it gives eagerly."""
    w = ops.convert_to_tensor(s.weight())
    function = backend.compiled(s.make(), xla=True)
    close(backend.as_numpy(function(w)), backend.as_numpy(s.make()(w)), "xla")


# --- initializers -----------------------------------------------------------------------


@check("initializers", variants=("float32", "float16", "bfloat16"))
def shape_and_dtype(s: Subject, dtype: str) -> None:
    """The initial value has the shape and dtype asked for, and is finite."""
    shape = s.weight().shape
    value = s.make()(shape, dtype=dtype)
    require(tuple(value.shape) == shape, f"shape {value.shape}, not {shape}")
    got = keras.backend.standardize_dtype(value.dtype)
    require(got == dtype, f"dtype {got}, not {dtype}")
    finite(backend.as_numpy(value), "the initial value")


@check("initializers", when=lambda s: "seed" in s.signature)
def seeded(s: Subject) -> None:
    """Equal seeds draw equal values, other seeds others."""
    shape = s.weight().shape
    a, b, c = (backend.as_numpy(s.make(seed=seed)(shape)) for seed in (1, 1, 2))
    require(np.array_equal(a, b), "the same seed draws different values")
    require(not np.array_equal(a, c), "another seed draws the same values")


@check("initializers", tag="bias")
def bias_vector(s: Subject) -> None:
    """The card tries it on a bias, not on a kernel."""
    require(len(s.weight().shape) <= 2, f"a bias has one or two axes, not {s.weight().shape}")
