"""The contract between a recipe's `build` and its task, checked before the search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog.recipe.data.findings import Finding
from kcatalog.recipe.tasks import heads
from kcatalog.recipe.terminal.errors import RecipeError, first_line

# Losses that would broadcast labels and outputs of different sizes without a word.
ELEMENTWISE = (
    keras.losses.MeanSquaredError,
    keras.losses.MeanAbsoluteError,
    keras.losses.MeanAbsolutePercentageError,
    keras.losses.MeanSquaredLogarithmicError,
    keras.losses.Huber,
    keras.losses.LogCosh,
)


def check_model(task, model: keras.Model, data: Any) -> None:
    """Refuse what `build` returned unless it is a model that the task and the data can take.

    This looks at shapes alone, so that the model of every trial can be checked.
    """

    def refuse(received: str, fix: str) -> RecipeError:
        return RecipeError(f"{_contract(task, data)} Received: {received}. {fix}")

    entry = "keras.Input(data.input_shape, name=data.input_name)"
    if model is None:
        raise refuse("None", "End `build` with `return model`.")
    if not isinstance(model, keras.Model):
        kind = "the class" if isinstance(model, type) else f"a {type(model).__name__},"
        raise refuse(f"{kind} {str(model)[:60]}", "Return the compiled model itself.")
    if not model.compiled:
        raise refuse("a model that is not compiled", "Call model.compile(optimizer, loss, metrics)")
    try:
        inputs, outputs = model.inputs, model.outputs
    except AttributeError:  # a Sequential model without an Input, or a subclass of keras.Model
        inputs = outputs = None
    if not inputs:
        raise refuse(
            f"a {type(model).__name__} without an Input",
            f"Start it with x = {entry}; a model of your own class goes inside: "
            "keras.Model(x, yours(x)).",
        )
    if len(inputs) != 1 or len(outputs) != 1:
        raise refuse(
            f"{len(inputs)} inputs ({_shapes(inputs)}) and {len(outputs)} outputs "
            f"({_shapes(outputs)})",
            "Build one keras.Model from the one input to the one output.",
        )
    if not _fits(inputs[0].shape[1:], data.input_shape):
        raise refuse(f"an input of shape {_named(inputs[0].shape[1:])}", f"Use {entry}.")
    if not _castable(data.train[0].dtype, inputs[0].dtype):
        raise refuse(
            f"an input of type {inputs[0].dtype} for data of type {data.train[0].dtype}",
            f"Use {entry[:-1]}, dtype={data.train[0].dtype.name!r}).",
        )
    if getattr(data.details, "dtype", None) == "float64":
        _check_precision(model, data, entry)
    _check_head(task, model, data, refuse)


def _check_precision(model, data, entry: str) -> None:
    """Refuse a model that rounds numbers to float32 whose steps would be lost."""
    why = f"{data.name} needs float64: float32 rounds away the steps between its numbers."
    if keras.backend.backend() == "jax":
        raise RecipeError(
            f"{why} JAX computes with float32. Use KERAS_BACKEND=tensorflow, or subtract a "
            "constant from the column."
        )
    if model.inputs[0].dtype != "float64" or model.outputs[0].dtype != "float64":
        raise RecipeError(
            f"{why} Received: {model.inputs[0].dtype} in, {model.outputs[0].dtype} out. Use "
            f"{entry[:-1]}, dtype='float64'), and add the forecast to a value of the history."
        )
    if getattr(heads.loss_of(model), "dtype", "float32") != "float64":
        raise RecipeError(f"{why} Give the loss dtype='float64'.")


def _check_head(task, model, data, refuse: Callable[..., Any]) -> None:
    """Refuse outputs of a wrong shape, or that the loss takes for something else."""
    output, found, convert = model.outputs[0], heads.head(model), task.conversion(model, data)
    wanted = task.output_shape(data)
    shape = (output if convert is None else convert(output)).shape[1:]
    if wanted is not None and not _fits(shape, wanted):
        units = wanted[-1] if wanted else 1
        fix = (
            f"End in a layer with {units} unit{'s' * (units != 1)}."
            if len(shape) == len(wanted)
            else ""
        )
        raise refuse(f"outputs of shape {_named(output.shape[1:])}", fix)
    if task.activation is None:
        return
    known = heads.from_logits(model)
    if found and convert is None:
        raise refuse(f"outputs of a {found}", "Remove the activation of the last layer.")
    if found and known:
        raise refuse(
            f"a last layer with {found}, and a loss with from_logits=True that applies it again",
            "Remove the activation of the last layer.",
        )
    if convert and not found and not (known and "binary" in _loss_name(model)):
        raise refuse(
            f"outputs of shape {_named(output.shape[1:])} and no loss that says what they mean",
            f"End in {wanted[-1]} units, or use keras.losses.BinaryCrossentropy(from_logits=True).",
        )
    if not found and known is False:
        raise refuse(
            "a last layer without activation, and a loss that expects probabilities",
            "Give the loss from_logits=True.",
        )


def check_batch(task, model: keras.Model, data: Any, batches: Any, objective: str) -> list[Finding]:
    """Refuse a model that cannot learn from or be scored on real samples.

    Runs the model eagerly on a few training samples, which costs it no compilation, and leaves its
    metrics and its way to run changed. Returns what is done with outputs that need a conversion.
    """
    x, y = (np.asarray(part) for part in task.probe(data, batches))
    model.run_eagerly = keras.backend.backend() != "jax"  # where each operation is compiled
    try:
        raw = _outputs(model, x)
    except Exception as e:  # Keras and the backends have errors of their own
        raise RecipeError(f"The model cannot process the training samples. {_reason(e)}") from e
    if len(raw) != len(x):
        raise RecipeError(
            f"{_contract(task, data)} Received: {len(raw)} outputs for {len(x)} samples. "
            "Keep the first axis, the batch, as it is."
        )
    if not np.isfinite(raw.astype("float32")).all():
        raise RecipeError(
            f"{_contract(task, data)} Received: NaN or infinity for the training samples. "
            "Look for a logarithm, a root or a division without a lower bound in `build`."
        )
    if task.activation and not heads.head(model) and _distribution(raw):
        raise RecipeError(
            f"{_contract(task, data)} Received: outputs that are already probabilities, as "
            "they add up to 1. Leave the softmax out and give the loss from_logits=True."
        )
    _check_sizes(model, y, raw)
    try:
        logs = model.test_on_batch(x, y, return_dict=True)
    except Exception as e:
        raise RecipeError(
            f"The loss or a metric of model.compile cannot compare labels of shape "
            f"{_named(y.shape[1:])} with outputs of shape {_named(raw.shape[1:])}. {_reason(e)}"
        ) from e
    _check_objective(task, objective, logs)
    outputs = heads.to_contract(task, model, data, raw).astype("float32")
    _check_score(task, data, y, outputs, logs)
    if (found := heads.head(model)) and task.conversion(model, data):
        text = f"ends in {found}: scores and the export use its inverse, logits"
        return [Finding("outputs", text)]
    return []


def _outputs(model, x: np.ndarray) -> np.ndarray:
    """Return a model's outputs, on JAX by compiled inference: it compiles each operation alone.

    Elsewhere the model is called: on several devices Keras's inference answers once for each.
    """
    if keras.backend.backend() == "jax":
        return model.predict_on_batch(x)
    return ops.convert_to_numpy(model(x, training=False))


def _check_sizes(model, y: np.ndarray, outputs: np.ndarray) -> None:
    names = {_snake(kind.__name__) for kind in ELEMENTWISE}
    if _loss_name(model) in names and y.size != outputs.size:
        raise RecipeError(
            f"The loss of model.compile compares labels and outputs one by one, but labels have "
            f"the shape {_named(y.shape[1:])} and outputs {_named(outputs.shape[1:])}. Use a loss "
            "for classes, such as keras.losses.SparseCategoricalCrossentropy(from_logits=True), or "
            "outputs of the labels' shape."
        )


def _check_objective(task, objective: str, logs: dict[Any, Any]) -> None:
    reported = [*logs, *(f"val_{name}" for name in logs), *task.reported]
    if objective in reported:
        return
    metric = objective.removeprefix("val_")
    raise RecipeError(
        f"Trials and epochs are compared by {objective}, which the model does not report. Add "
        f"metrics=[{metric!r}] to model.compile(...), or choose another with "
        f"Recipe(..., objective=...). It reports {', '.join(f'val_{name}' for name in logs)}."
    )


def _check_score(task, data, y: np.ndarray, outputs: np.ndarray, logs: dict[Any, Any]) -> None:
    """Refuse a task that cannot score the outputs, and accuracies that are not the task's."""
    if task.known(data, "validation"):  # scores compare with further samples
        return
    try:
        with np.errstate(all="ignore"):
            score = task.score(y, outputs)
            task.predicted(outputs)
            task.named(outputs)
    except Exception as e:
        raise RecipeError(
            f"The task {task} cannot score labels of shape {_named(y.shape[1:])} and outputs of "
            f"shape {_named(outputs.shape[1:])}. {_reason(e)}"
        ) from e
    for name in task.metrics:
        if name in logs and abs(logs[name] - score) > 0.05:
            raise RecipeError(
                f"The metric {name!r} of model.compile is {logs[name]:.3f} where the task counts "
                f"{score:.3f}, on the same samples. For one logit use "
                "keras.metrics.BinaryAccuracy(name='accuracy', threshold=0.0), for logits of "
                "several classes 'accuracy'."
            )


# --- words -----------------------------------------------------------------------------------


def _contract(task, data) -> str:
    shape, ends = task.output_shape(data), f": {task.ends_in}" if task.ends_in else ""
    output = "one output" if shape is None else f"one output of shape {_named(shape)}"
    return (
        f"`build` must return a compiled keras.Model with one input of shape "
        f"{_named(data.input_shape)} and {output}{ends}."
    )


def _named(shape) -> str:
    """Return a sample's shape as that of a batch.

    >>> _named((None, 3)), _named(())
    ('(batch, any, 3)', '(batch,)')
    """
    sizes = ", ".join("any" if size is None else str(size) for size in shape)
    return f"(batch, {sizes})" if sizes else "(batch,)"


def _shapes(tensors) -> str:
    return "; ".join(_named(tensor.shape[1:]) for tensor in tensors)


def _fits(shape, wanted) -> bool:
    return len(shape) == len(wanted) and all(
        a is None or b is None or a == b for a, b in zip(shape, wanted, strict=True)
    )


def _castable(data: np.dtype, entry: str) -> bool:
    """Return whether an Input of this type keeps what the data say.

    >>> _castable(np.dtype("uint8"), "float32"), _castable(np.dtype("float32"), "uint8")
    (True, False)
    """
    if data.kind in "OSU" or entry == "string":
        return data.kind in "OSU" and entry == "string"
    return entry == "bfloat16" or np.can_cast(data, entry, "same_kind")


def _distribution(p: np.ndarray) -> bool:
    p = p.astype("float32")
    return p.shape[-1] > 1 and bool((p >= 0).all() and np.allclose(p.sum(-1), 1, atol=1e-3))


def _loss_name(model) -> str:
    """Return the loss's name in snake case, such as "binary_crossentropy"."""
    loss = heads.loss_of(model)
    return _snake(getattr(loss, "__name__", type(loss).__name__))


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {first_line(error)[:300]}"


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
