"""Checks for layers: shapes, compilation, precision, gradients, masks, saving."""

from __future__ import annotations

import functools
import inspect
import os
import re
import tempfile
import warnings

import keras
import numpy as np
from keras import ops

from kcatalog.conformance import backend
from kcatalog.conformance.adapter import Adapter
from kcatalog.conformance.exercise import (
    as_layer,
    build,
    call_on_shapes,
    exact_gradients,
    layer_function,
    mode_of,
    repeats,
)
from kcatalog.conformance.subject import BATCH, CheckSkipped, Subject, close, finite, require
from kcatalog.conformance.suite import check

HALF = {"mixed_float16": 2e-2, "mixed_bfloat16": 1e-1}


def _layer(s: Subject, **overrides):
    """The example layer, built, its weights moved off their initial zeros and ones."""
    layer = as_layer(s, s.make(**overrides))
    build(s, layer)
    rng = s.rng()
    for v in layer.trainable_variables:
        value = backend.as_numpy(v)
        v.assign(value + 0.1 * rng.normal(size=value.shape))
    return layer


def _run(layer, x, training: bool = False, **kwargs) -> np.ndarray:
    accepted = inspect.signature(layer.call).parameters
    kwargs = {k: v for k, v in {**kwargs, "training": training}.items() if k in accepted}
    return backend.as_numpy(backend.call_layer(layer, ops.convert_to_tensor(x), **kwargs))


def _model(s: Subject, layer, mask: bool = False):
    inputs = keras.Input(s.input_shape, name="input")
    x = keras.layers.Masking(0.0)(inputs) if mask else inputs
    return keras.Model(inputs, layer(x))


def _is_sequence(s: Subject) -> bool:
    return not s.adapted and len(s.card.example.shape or ()) == 2


def _repeats_compiled(s: Subject) -> bool:
    return backend.COMPILES and repeats(s)


# --- shapes and compilation -------------------------------------------------------------


@check("layers")
def shapes_agree(s: Subject):
    """Symbolic, eager and declared shapes agree, with the batch size unknown."""
    x = s.inputs()
    layer = _layer(s)
    symbolic = _model(s, _layer(s)).output_shape
    declared = symbolic  # inferred by Keras, unless the layer says it
    if type(layer).compute_output_shape is not keras.layers.Layer.compute_output_shape:
        declared = tuple(layer.compute_output_shape((None, *x.shape[1:])))
    require(symbolic == declared, f"symbolic shape {symbolic}, declared {declared}")
    eager = tuple(layer(ops.convert_to_tensor(x)).shape)
    require(eager == (BATCH, *declared[1:]), f"eager shape {eager}, declared {declared}")


def _has_data_format(s: Subject) -> bool:
    conv = issubclass(s.cls, keras.layers.Conv2D)  # has it among `**kwargs`
    return s.has_card and not s.adapted and ("data_format" in s.signature or conv)


@check("layers", when=_has_data_format)
def data_formats_agree(s: Subject):
    """Given channels first, the layer gives what it gives for channels last, turned."""
    x = [s.rng().normal(size=(BATCH, *shape)).astype("float32") for shape in s.shapes]
    turned, ndim = [np.moveaxis(a, -1, 1) for a in x], x[0].ndim
    last, first = s.make(), s.make(data_format="channels_first")
    declared, _ = _fed_symbols(s, first, turned), _fed_symbols(s, last, x)
    for v, w in zip(first.weights, last.weights, strict=True):
        if w.trainable:
            w.assign(backend.as_numpy(w) + 0.1 * s.rng().normal(size=w.shape))
        v.assign(backend.as_numpy(w))
    y, wanted = (
        _fed(s, layer, map(ops.convert_to_tensor, a)) for layer, a in ((first, turned), (last, x))
    )
    for a, b, shape in zip(y, wanted, declared, strict=True):
        a, b = backend.as_numpy(a), backend.as_numpy(b)
        turns = b.ndim == ndim or shape != b.shape[1:]  # or cells of a map as a sequence
        close(a, np.moveaxis(b, -1, 1) if turns else b, "channels first")
        require(a.shape[1:] == shape, f"shape {a.shape} for channels first, declared {shape}")


def _fed(s: Subject, layer, inputs):
    """Return the outputs of a layer of one or several inputs, in a list."""
    return keras.tree.flatten(Adapter(layer, s.shapes).fed(list(inputs), **mode_of(layer)))


def _fed_symbols(s: Subject, layer, arrays):
    """Build a layer by a symbolic call; return the shapes of a sample's outputs."""
    outputs = _fed(s, layer, (keras.KerasTensor((None, *a.shape[1:])) for a in arrays))
    return [tuple(y.shape[1:]) for y in outputs]


@check("layers", tag="shape-preserving")
def shape_preserved(s: Subject):
    """The output has the input's shape."""
    shape = s.inputs().shape
    require(_run(_layer(s), s.inputs()).shape == shape, "the output's shape is not the input's")


@check("layers", when=_repeats_compiled, variants=backend.MODES, slow=True)
def compiled_equals_eager(s: Subject, mode: str):
    """Compiled, with XLA or without, inference gives what eager execution gives."""
    layer, x = _layer(s), s.inputs()
    infer = functools.partial(layer, **mode_of(layer))
    function = backend.compiled(infer, xla=mode == "xla")
    x = ops.convert_to_tensor(x)
    close(backend.as_numpy(function(x)), backend.as_numpy(infer(x)), mode)


@check("layers", when=lambda s: backend.COMPILES, slow=True)
def compiled_training_runs(s: Subject):
    """A training step compiles with XLA and moves the weights to finite values."""
    core, x = _model(s, _layer(s)), s.inputs()
    if not keras.backend.is_float_dtype(core.outputs[0].dtype):
        raise CheckSkipped("whole numbers, such as generated tokens, have no gradient")
    model = keras.Sequential([core, keras.layers.Dense(2)])  # a layer may have no weights itself
    model.compile("sgd", "mse", jit_compile=True)
    finite(model.train_on_batch(x, np.zeros((BATCH, *model.output_shape[1:]))), "the loss")
    for v in model.weights:
        finite(backend.as_numpy(v), f"{v.path} after a compiled step")


@check("layers", when=lambda s: s.has_card)
def shapes_refused(s: Subject):
    """A shape that a layer cannot take is refused with a sentence, before it is built and after."""
    built = _layer(s)
    for i, shape in enumerate(s.shapes):
        for wrong in (shape[:-1], (1, *shape), *_unknown(shape), (*shape[:-1], shape[-1] + 1)):
            shapes = [*s.shapes[:i], wrong, *s.shapes[i + 1 :]]
            try:
                call_on_shapes(s, as_layer(s, s.make()), shapes)
            except Exception as e:  # of any kind, where the backend is the first to notice
                named = re.search(rf"{s.name}: `\w*shape` must be ", str(e))
                require(named, f"input of shape {(None, *wrong)} fails with {e}")
            else:
                if len(wrong) == len(shape) or None in wrong:
                    continue
            try:
                call_on_shapes(s, built, shapes)
            except Exception as e:
                said = any(t in str(e) for t in (f"{s.name}: `", "is incompatible with the layer"))
                require(said, f"once built, input of shape {(None, *wrong)} fails with {e}")


def _unknown(shape):
    """Return the shape with each axis unknown in turn."""
    return [(*shape[:i], None, *shape[i + 1 :]) for i in range(len(shape))]


# --- precision and gradients ------------------------------------------------------------


@check("layers", when=repeats, variants=tuple(HALF))
def half_precision(s: Subject, policy: str):
    """Under a mixed policy the output is half precision, finite and close to float32's."""
    exact = _layer(s)
    with s.precision(policy) as arguments:
        layer = as_layer(s, s.make(**arguments))
        build(s, layer)
        for v, w in zip(layer.weights, exact.weights, strict=True):
            v.assign(backend.as_numpy(w))
        y = backend.call_layer(layer, ops.convert_to_tensor(s.inputs()), **mode_of(layer))
    number, wanted = _run(exact, s.inputs()), keras.DTypePolicy(policy).compute_dtype
    whole = not np.issubdtype(number.dtype, np.floating)  # such as ids of bins or tokens
    half = keras.backend.standardize_dtype(y.dtype) == wanted
    require(half or whole, f"output {y.dtype}, not {wanted}")
    tolerance = HALF[policy]
    scale = 1.0 if s.has_card else max(1.0, float(np.max(np.abs(number))))  # 255 of images
    close(backend.as_numpy(y), number, policy, tolerance, tolerance * scale)


@check("layers", when=lambda s: s.has_card)
def called_in_half_precision(s: Subject):
    """In a wrapper of a mixed policy, which hands it halves, a float32 layer computes the same."""
    layer, x = _layer(s), s.inputs()
    wrapper = keras.layers.TimeDistributed(layer, dtype="mixed_float16")
    wrapper.build((None, 1, *x.shape[1:]))
    close(_run(wrapper, x[:, None])[:, 0], _run(layer, x), "in TimeDistributed", 2e-2, 2e-2)


@check("layers")
def gradients_exact(s: Subject):
    """Gradients for input and weights are finite and equal finite differences in float64."""
    with backend.float64(), s.precision("float64") as arguments:
        rng, x = s.rng(), s.inputs(batch=3, dtype="float64")
        layer = as_layer(s, s.make(**arguments))
        build(s, layer)
        arrays = [backend.as_numpy(v) for v in layer.trainable_variables]
        arrays = [a + 0.1 * rng.normal(size=a.shape) for a in arrays]
        function = layer_function(layer, training=False)
        probe = rng.normal(size=_run(layer, x).shape)

        def scalar(x, *weights):
            return ops.sum(ops.multiply(function(list(weights), x), probe))

        names = ["input", *(v.path for v in layer.trainable_variables)]
        exact_gradients(scalar, [x, *arrays], rng, names)


@check("layers", variants=("zero", "huge", "tiny"))
def extreme_input(s: Subject, size: str):
    """Zero, huge and tiny input give a finite output and finite gradients."""
    layer = _layer(s)
    x = {"zero": 0.0, "huge": 1e4, "tiny": 1e-20}[size] * s.inputs()
    function = layer_function(layer, training=False)
    weights = [backend.as_numpy(v) for v in layer.trainable_variables]

    def scalar(x, *weights):
        return ops.mean(function(list(weights), x))

    arrays = [x.astype("float32"), *weights]
    value, gradients = backend.value_and_gradients(scalar, arrays, shared=(layer, "mean"))
    finite(value, "the output")
    for g in gradients:
        finite(g, "a gradient")


# --- behaviour --------------------------------------------------------------------------


@check("layers", when=repeats)
def samples_independent(s: Subject):
    """At inference a sample's result does not depend on the rest of its batch."""
    layer, x = _layer(s), s.inputs()
    close(_run(layer, x[:1]), _run(layer, x)[:1], "one of a batch")


@check("layers", tag="identity-at-inference")
def identity_at_inference(s: Subject):
    """Not training, the layer returns what it was given, to the last bit."""
    x = s.inputs()
    require(np.array_equal(_run(_layer(s), x), x), "inference changes its input")


@check("layers", when=lambda s: s.has_card)
def whole_numbers_taken(s: Subject):
    """Integers, such as the pixels of a picture, give what they give as floats, in training too."""
    x, seed = np.round(4 * s.inputs()), {"seed": 1} if "random" in s.tags else {}
    of_integers, of_floats = _layer(s, **seed), _layer(s, **seed)
    of_integers.set_weights(of_floats.get_weights())
    integers = _run(of_integers, x.astype("int32"), training=True)
    close(integers, _run(of_floats, x, training=True), "integers beside floats")


@check("layers", when=lambda s: s.has_card)
def empty_batch_taken(s: Subject):
    """A batch without samples, which the last one may be on a replica, gives one without."""
    y = _run(_layer(s), s.inputs()[:0], training=True)
    require(len(y) == 0, f"a batch of none gives {len(y)} samples")


@check("layers", tag="random")
def randomness_seeded(s: Subject):
    """Equal seeds draw equal numbers, other seeds others, and a second call draws anew."""
    x, weights = s.inputs(batch=32), [v.value for v in _layer(s).trainable_variables]

    def draw(seed):
        layer = _layer(s, seed=seed)
        for variable, weight in zip(layer.trainable_variables, weights, strict=True):
            variable.assign(weight)  # which the seed does not draw
        return _run(layer, x, training=True)

    first = draw(1)
    require(np.array_equal(draw(1), first), "the same seed draws different numbers")
    tries = range(2, 3 if s.has_card else 10)  # one of a few outcomes may come up again by chance
    others = any(not np.array_equal(draw(seed), first) for seed in tries)
    require(others, "another seed draws the same numbers")
    layer = _layer(s, seed=1)
    first = _run(layer, x, training=True)
    anew = any(not np.array_equal(_run(layer, x, training=True), first) for _ in tries)
    require(anew, "a second call draws the same numbers")


@check("layers", when=lambda s: s.has_card and "random" not in s.tags)
def training_deterministic(s: Subject):
    """A layer that claims no randomness gives the same output twice in training."""
    layer, x = _layer(s), s.inputs()
    first, second = (_run(layer, x, training=True) for _ in range(2))
    require(np.array_equal(first, second), "training is random; tag the card `random`")


@check("layers", tag="recurrent")
def causal(s: Subject):
    """Later steps of a sequence do not change the outputs of earlier ones."""
    layer, x = _layer(s, **_all_steps(s)), s.inputs()
    half = x.shape[1] // 2
    changed = np.concatenate([x[:, :half], x[:, half:] + 1.0], axis=1)
    close(_run(layer, changed)[:, :half], _run(layer, x)[:, :half], "steps before a change")


@check("layers", tag="cell")
def cell_steps(s: Subject):
    """Stepped by hand from its initial state, a cell gives what keras.layers.RNN gives."""
    rnn, x = _layer(s), s.inputs()
    states = rnn.get_initial_state(BATCH)
    for t in range(x.shape[1]):
        y, states = rnn.cell(ops.convert_to_tensor(x[:, t]), states)
        close(backend.as_numpy(y), _run(rnn, x)[:, t], f"step {t}")


def _all_steps(s: Subject) -> dict:
    return {"return_sequences": True} if "return_sequences" in s.signature else {}


# --- masks ------------------------------------------------------------------------------


def _keeps_masks(s: Subject) -> bool:
    """A layer without a card may drop masks, of which Keras warns, unless it says otherwise."""
    return _is_sequence(s) and (s.has_card or s.make().supports_masking)


@check("layers", when=_keeps_masks)
def mask_passed_on(s: Subject):
    """A mask that comes in with (batch, steps, features) comes out while steps remain."""
    layer = _layer(s, **_all_steps(s))
    inputs = keras.Input(s.input_shape)
    output = layer(keras.layers.Masking(0.0)(inputs))
    if len(output.shape) == 3 and output.shape[1] == inputs.shape[1]:
        mask = getattr(output, "_keras_mask", None)
        require(mask is not None, "the mask is dropped: set self.supports_masking = True")


@check("layers", tag="masking", when=_is_sequence)
def mask_honoured(s: Subject):
    """Padding changes no real step's result, and a row of padding only stays finite."""
    layer, x = _layer(s, **_all_steps(s)), s.inputs()
    steps = x.shape[1]
    padded = np.concatenate([x, np.full_like(x[:, :2], 7.0)], axis=1)
    mask = np.arange(steps + 2) < steps
    y = _run(layer, padded, mask=ops.convert_to_tensor(np.tile(mask, (BATCH, 1))))
    close(y[:, :steps], _run(layer, x), "real steps beside padding")
    nothing = _run(layer, x, mask=ops.zeros((BATCH, steps), dtype="bool"))
    finite(nothing, "the output for a row of padding only")


def _supports_masks(s: Subject) -> bool:
    return not s.has_card and _keeps_masks(s) and repeats(s)


@check("layers", when=_supports_masks)
def padding_ignored(s: Subject):
    """A layer with `supports_masking` gives the same whatever stands in the padding."""
    layer, x = _layer(s), s.inputs()
    real = x.shape[1] - 2
    other = x.copy()
    other[:, real:] = 7.0
    mask = ops.convert_to_tensor(np.tile(np.arange(x.shape[1]) < real, (BATCH, 1)))
    one, two = (_run(layer, padded, mask=mask) for padded in (x, other))
    if one.ndim > 2 and one.shape[1] == x.shape[1]:
        one, two = one[:, :real], two[:, :real]
    close(one, two, "two sequences that differ in masked steps only")


# --- saving -----------------------------------------------------------------------------


@check("layers")
def keras_file_equal(s: Subject):
    """Saved in a `.keras` file and loaded in safe mode, the model gives equal outputs."""
    model, x = _model(s, _layer(s)), s.inputs()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path = os.path.join(folder, "model.keras")
        model.save(path)
        if not s.has_card:  # Keras builds it in the call that follows
            warnings.filterwarnings("ignore", "`build\\(\\)` was called on layer")
        again = keras.saving.load_model(path, custom_objects={s.name: s.cls})
    y, wanted = _run(again, x), _run(model, x)
    close(y, wanted if repeats(s) else y, "after saving and loading", 1e-6, 1e-6)


@check("layers", when=lambda s: backend.NAME == "tensorflow", slow=True)
def saved_model_equal(s: Subject):
    """Exported as a SavedModel and served without Keras, it gives equal outputs."""
    import tensorflow as tf

    model, x = _model(s, _layer(s)), s.inputs()
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, verbose=False)
        served = tf.saved_model.load(folder)
        y = served.serve(x).numpy()
        close(y, _run(model, x) if repeats(s) else y, "served from a SavedModel")
