"""Request bodies as the model's input: JSON in TensorFlow Serving's forms, or one file."""

from __future__ import annotations

import base64
import email
import io
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException

from kcatalog.recipe.data import DataInfo, inputs, pixels
from kcatalog.recipe.terminal.errors import RecipeError

MAX_SAMPLES = 256
MAX_CHARACTERS = 1024  # of a text
MAX_PIXELS = 100_000_000  # of an image file
LEAST_BODY, MOST_BODY = 32 * 2**20, 128 * 2**20  # bytes; photographs have up to about 25 MB
DIGITS = {"uint8": 3, "int8": 4, "int32": 11, "int64": 20}  # and floats:
FLOAT_DIGITS = 24  # of a float32 that JSON writes as a double
FORMS = 'The body must be a JSON object with either "instances" or "inputs".'


def max_body(spec, info: DataInfo) -> int:
    """Return how many bytes a body may have: enough for `MAX_SAMPLES` as JSON, within limits.

    Args:
        spec: the `tf.TensorSpec` of the model's input.
        info: the data, whose input's shape stands for open axes.
    """
    shape = spec.shape.as_list()[1:]
    if len(shape) == len(info.input_shape):
        shape = [own or known for own, known in zip(shape, info.input_shape, strict=True)]
    sizes = [math.prod(size or 1 for size in shape[:axes]) for axes in range(len(shape) + 1)]
    # a number with ", ", and brackets with ", " for each list
    one = sizes[-1] * (DIGITS.get(spec.dtype.name, FLOAT_DIGITS) + 2) + 4 * sum(sizes[:-1])
    return min(max(MAX_SAMPLES * one, LEAST_BODY), MOST_BODY)


# --- files --------------------------------------------------------------------------------


def read_upload(body: bytes, content_type: str, input_name: str) -> tuple[bytes, str]:
    """Return a file's content and name from a body: the file itself, or a form that has it."""
    kind, name = content_type.partition(";")[0].strip().lower(), ""
    if kind == "multipart/form-data":
        body, name, kind = _form_file(body, content_type)
    name = "".join(c for c in name.replace("\\", "/").rpartition("/")[2] if c.isprintable())[-100:]
    if name.strip("."):
        return body, name
    files = inputs.kind(input_name).files
    return body, f"body{files.get(kind, next(iter(files.values())))}"


def _form_file(body: bytes, content_type: str) -> tuple[bytes, str, str]:
    """Return content, name and type of the only file in a form (RFC 7578), or of its only field."""
    boundary = email.message_from_string(f"Content-Type: {content_type}\n").get_boundary()
    parts = []
    if boundary:
        # between the first delimiter and the last, which "--" follows
        delimiter = f"\r\n--{boundary}".encode("latin-1", "replace")
        *found, end = (b"\r\n" + body).split(delimiter)[1:] or [b""]
        for part in found if end.startswith(b"--") else []:
            head, _, content = part.partition(b"\r\n\r\n")
            parts.append((email.message_from_bytes(head.lstrip(b"\r\n")), content))
    files = [part for part in parts if part[0].get_filename() is not None] or parts
    if len(files) != 1:
        raise HTTPException(
            400, f"The form must have one file, as in: -F file=@name. Received: {len(files)}."
        )
    ((head, content),) = files
    return content, head.get_filename() or "", head.get_content_type()


def read_file(body: bytes, name: str, exported):
    """Return a file as the model's input, read by the recipe's source as for `predict`, and the
    notes on it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(body)
        try:
            return exported.read([file]), exported.notes([file])
        except RecipeError as e:
            raise HTTPException(400, str(e).replace(f"{folder}/", "")) from e
        except Exception as e:  # readers raise almost anything for a broken file
            raise HTTPException(400, f"{name} cannot be read as a {file.suffix} file.") from e


# --- JSON ---------------------------------------------------------------------------------


def read_json(body: bytes) -> dict[Any, Any]:
    """Return the JSON object in a body."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as e:
        raise HTTPException(400, f"The body cannot be read as JSON: {e}.") from e
    if not isinstance(request, dict):
        raise HTTPException(400, FORMS)
    return request


def signature_name(request: dict[Any, Any], names: list[str], default: str) -> str:
    """Take the signature's name out of a request."""
    name = request.pop("signature_name", default) or default
    if name not in names:
        raise HTTPException(400, f"This model has only the signatures {', '.join(names)}.")
    return name


def read_samples(
    request: dict[Any, Any], specs: dict[Any, Any]
) -> tuple[dict[str, np.ndarray], bool]:
    """Return a signature's inputs by name, and whether they came in the row form.

    Args:
        request: {"instances": [sample, ...]} is the row form, {"inputs": [sample, ...]} the
            columnar one. With several inputs, a sample or the inputs are {name: value}; with one,
            they may be. Binary strings are {"b64": text in base64}.
        specs: the `tf.TensorSpec` of each input; its first axis is the batch.
    """
    if request.keys() not in ({"instances"}, {"inputs"}):
        raise HTTPException(400, FORMS)
    by_row = "instances" in request
    if by_row:
        rows = _batch(request["instances"])
        named = [_named(row, specs) for row in rows]
        columns = {name: [row[name] for row in named] for name in specs}
    else:
        columns = _named(request["inputs"], specs)
    x = {name: _tensor(_batch(columns[name]), spec) for name, spec in specs.items()}
    if len({len(values) for values in x.values()}) > 1:
        raise HTTPException(400, "All inputs must have the same number of samples.")
    return x, by_row


def _named(value, specs: dict[Any, Any]) -> dict[Any, Any]:
    """Return a value for each input."""
    if isinstance(value, dict) and value.keys() == specs.keys():
        return value
    if len(specs) == 1 and (not isinstance(value, dict) or value.keys() == {"b64"}):
        return dict.fromkeys(specs, value)
    names = ", ".join(f'"{name}"' for name in specs)
    raise HTTPException(400, f"This signature has the inputs {names}. Give a value for each.")


def _batch(values) -> list[Any]:
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_SAMPLES:
        raise HTTPException(400, f"A request must have a list of 1 to {MAX_SAMPLES} samples.")
    return values


def _tensor(values: list[Any], spec) -> np.ndarray:
    x = _strings(values, spec.name) if spec.dtype.name == "string" else _numbers(values, spec.dtype)
    if not (x.size and spec.shape.is_compatible_with(x.shape)):
        wanted = [-1 if size is None else size for size in spec.shape.as_list()[1:]]
        raise HTTPException(
            400, f"A sample must have the shape {wanted}. Received: {list(x.shape[1:])}."
        )
    return x


def _strings(values: list[Any], name: str) -> np.ndarray:
    if isinstance(values[0], list):  # the cells of a table's row
        return _cells(values)
    x = np.empty(len(values), object)
    x[:] = [_string(value) for value in values]
    if name == "image_bytes":
        for content in x:
            _check_image(content)
    return x


def _cells(rows: list[Any]) -> np.ndarray:
    """Return rows of texts and numbers as texts."""
    if any(not isinstance(row, list) or len(row) != len(rows[0]) for row in rows):
        raise HTTPException(400, "Samples must be lists of one length.")
    cells = [[str(c) if type(c) in (int, float) else c for c in row] for row in rows]
    return np.array([[_string(cell) for cell in row] for row in cells], object)


def _string(value) -> bytes:
    if isinstance(value, dict) and value.keys() == {"b64"}:
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (TypeError, ValueError) as e:
            raise HTTPException(400, '"b64" must be text in base64.') from e
    if not isinstance(value, str) or len(value) > MAX_CHARACTERS:
        raise HTTPException(
            400,
            f'A sample must be a text of up to {MAX_CHARACTERS} characters, or {{"b64": ...}}.',
        )
    return value.encode("utf-8", "replace")


def _check_image(content: bytes) -> None:
    """Refuse what TensorFlow cannot decode, and what would not fit into the memory."""
    formats = ("PNG", "JPEG", "BMP", "GIF")
    try:
        with pixels.pillow().open(io.BytesIO(content), formats=formats) as image:
            size = image.size
    except Exception as e:  # Pillow raises almost anything for a broken header
        raise HTTPException(
            400, 'image_bytes must be PNG, JPEG, BMP or GIF files, as {"b64": ...}.'
        ) from e
    if math.prod(size) > MAX_PIXELS:
        raise HTTPException(
            400,
            f"An image must have at most {MAX_PIXELS:,} pixels. Send a smaller one.",
        )


def _numbers(values: list[Any], dtype) -> np.ndarray:
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


# --- tf.Examples, for `:classify` and `:regress` --------------------------------------------


def read_examples(request: dict[Any, Any], spec) -> np.ndarray:
    """Return serialized tf.Examples.

    Args:
        request: {"examples": [{feature: value or list}, ...]}, and perhaps "context": features
            that all examples share.
        spec: the `tf.TensorSpec` of the model's input, the feature whose numbers have its type.
    """
    if "examples" not in request or request.keys() - {"examples", "context"}:
        raise HTTPException(400, 'The body must be a JSON object with "examples".')
    shared = request.get("context", {})
    return np.array([_example(each, shared, spec) for each in _batch(request["examples"])], object)


def _example(features, shared, spec) -> bytes:
    import tensorflow as tf

    if not isinstance(features, dict) or not isinstance(shared, dict):
        raise HTTPException(400, "An example must be an object: a value or a list by feature.")
    floating = {spec.name} if spec.dtype.is_floating else set()
    found = {
        name: _feature(value if isinstance(value, list) else [value], name in floating)
        for name, value in (shared | features).items()
    }
    return tf.train.Example(features=tf.train.Features(feature=found)).SerializeToString()


def _feature(values: list[Any], floating: bool):
    """Return a tf.train.Feature. JSON's whole numbers are integers, unless floats are wanted."""
    import tensorflow as tf

    kinds = {type(value) for value in values}
    try:
        if kinds == {int} and not floating:
            return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        if kinds and kinds <= {int, float}:
            return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    except (OverflowError, ValueError) as e:
        raise HTTPException(400, "A feature's numbers must fit int64 or float32.") from e
    if kinds and kinds <= {str, dict}:
        content = [_string(value) for value in values]
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=content))
    raise HTTPException(400, "A feature must be a number, a text, or a list of either.")
