"""Request bodies as the model's input: JSON in TensorFlow Serving's forms, or one file."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
from starlette.exceptions import HTTPException

from kcatalog.recipe.data import inputs
from kcatalog.recipe.terminal.errors import RecipeError

MAX_SAMPLES = 256
MAX_CHARACTERS = 1024  # of a text


def suffix(content_type: str, input_name: str) -> str:
    """Return the suffix of a file with this content type."""
    kinds, kind = inputs.kind(input_name).files, content_type.partition(";")[0].strip().lower()
    if kind not in kinds:
        raise HTTPException(415, f"The Content-Type must be one of {', '.join(kinds)}.")
    return kinds[kind]


def read_file(body: bytes, suffix: str, exported):
    """Return a file as the model's input, read by the recipe's source as for `predict`."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"body{suffix}"
        file.write_bytes(body)
        try:
            return exported.read([file])
        except RecipeError as e:
            raise HTTPException(400, str(e).replace(f"{folder}/", "")) from e
        except Exception as e:  # readers raise almost anything for a broken file
            raise HTTPException(400, f"The body cannot be read as a {suffix} file.") from e


def read_json(body: bytes, spec) -> tuple[np.ndarray, bool]:
    """Return the samples of a predict request, and whether it has the row form.

    Args:
        body: {"instances": [sample, ...]} is the row form, {"inputs": [sample, ...]} the columnar
            one. TensorFlow Serving also takes {name: ...} for each sample and for the inputs.
        spec: the `tf.TensorSpec` of the model's input; its first axis is the batch.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as e:
        raise HTTPException(400, f"The body cannot be read as JSON: {e}.") from e
    forms = request.keys() - {"signature_name"} if isinstance(request, dict) else set()
    if forms not in ({"instances"}, {"inputs"}):
        raise HTTPException(
            400, 'The body must be a JSON object with either "instances" or "inputs".'
        )
    if request.get("signature_name", "serving_default") != "serving_default":
        raise HTTPException(400, "This server has the signature serving_default only.")
    by_row = "instances" in request
    values = request["instances"] if by_row else _unnamed(request["inputs"], spec.name)
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_SAMPLES:
        raise HTTPException(400, f"A request must have a list of 1 to {MAX_SAMPLES} samples.")
    if by_row:
        values = [_unnamed(value, spec.name) for value in values]
    x = _texts(values) if spec.dtype.name == "string" else _numbers(values, spec.dtype)
    if not (x.size and spec.shape.is_compatible_with(x.shape)):
        wanted = [-1 if size is None else size for size in spec.shape.as_list()[1:]]
        raise HTTPException(
            400, f"A sample must have the shape {wanted}. Received: {list(x.shape[1:])}."
        )
    return x, by_row


def _unnamed(value, name: str):
    if not isinstance(value, dict):
        return value
    if value.keys() != {name}:
        raise HTTPException(400, f'The model has one input, "{name}".')
    return value[name]


def _texts(values: list) -> np.ndarray:
    if not all(isinstance(text, str) and len(text) <= MAX_CHARACTERS for text in values):
        raise HTTPException(400, f"A sample must be a text of up to {MAX_CHARACTERS} characters.")
    return np.array([text.encode("utf-8", "replace") for text in values], object)


def _numbers(values: list, dtype) -> np.ndarray:
    raw = np.array(values, object)  # keeps the types, so that "1" and true are not taken for 1
    if not all(type(value) in (int, float) for value in raw.flat):
        raise HTTPException(400, "Samples must be numbers in evenly nested lists.")
    try:
        with np.errstate(over="ignore"):
            x = raw.astype(dtype.as_numpy_dtype)
        fits = np.isfinite(x) if dtype.is_floating else x == raw
    except (OverflowError, ValueError):
        fits = np.False_
    if not fits.all():
        raise HTTPException(400, f"The numbers must be finite and fit the type {dtype.name}.")
    return x
