"""JSON as TensorFlow Serving takes it, {"instances": [...]}, to the model's input."""

from __future__ import annotations

import contextlib
import gc
import json

import numpy as np

from kcatalog.recipe.serve.answers import RequestError
from kcatalog.recipe.serve.limits import Limits

_KNOWN = {"instances", "signature_name"}


def parse(body: bytes) -> dict:
    """A JSON object, read strictly: UTF-8, finite numbers, no key twice."""
    try:
        text = body.decode("utf-8")
        with _no_collection():
            value = json.loads(text, object_pairs_hook=_no_key_twice, parse_constant=_no_constant)
    except UnicodeDecodeError as e:
        raise RequestError(400, f"The body must be UTF-8. Byte {e.start} is not.") from e
    except json.JSONDecodeError as e:
        where = f"line {e.lineno}, column {e.colno}"
        raise RequestError(400, f"The body must be JSON. It stops being JSON at {where}.") from e
    except RecursionError as e:
        raise RequestError(400, "The body must not be nested that deeply.") from e
    except ValueError as e:  # a number with more digits than Python reads
        raise RequestError(400, "The body must hold numbers of a reasonable length.") from e
    if not isinstance(value, dict):
        raise RequestError(
            400, f'The body must be {{"instances": [...]}}. Received: {_kind(value)}.'
        )
    return value


def read(body: bytes, name: str, spec, limits: Limits) -> np.ndarray:
    """The instances in a body, as the model's input `name` wants them.

    Args:
        body: {"instances": [...]}, each a sample, or {name: sample}.
        name: the input's.
        spec: its tf.TensorSpec, the first axis being that of the samples.
        limits: how many, and how long.
    """
    asked = parse(body)
    if unknown := sorted(asked.keys() - _KNOWN):
        raise RequestError(
            400, f"The body must hold instances alone. Received also: {unknown[0]!r:.80}."
        )
    if asked.get("signature_name", "serving_default") != "serving_default":
        raise RequestError(400, "signature_name must be serving_default, or left out.")
    instances = asked.get("instances")
    if not isinstance(instances, list) or not 1 <= len(instances) <= limits.instances:
        count = len(instances) if isinstance(instances, list) else _kind(instances)
        raise RequestError(
            400, f"instances must be a list of 1 to {limits.instances} samples. Received: {count}."
        )
    if any(isinstance(i, dict) for i in instances):
        instances = [_value(i, name) for i in instances]
    return _texts(instances, limits) if spec.dtype.name == "string" else _numbers(instances, spec)


def fit(x: np.ndarray, spec, limits: Limits) -> None:
    """Refuse what does not have the input's shape."""
    wanted, got = spec.shape.as_list()[1:], list(x.shape[1:])
    fits = len(wanted) == len(got) and all(
        1 <= g <= limits.steps if w is None else w == g for w, g in zip(wanted, got, strict=True)
    )
    if not fits:
        shape = ", ".join(f"1 to {limits.steps}" if w is None else str(w) for w in wanted)
        raise RequestError(400, f"A sample must have the shape [{shape}]. Received: {got}.")


@contextlib.contextmanager
def _no_collection():
    """Millions of small lists are no garbage: looking for some takes longer than to read them.

    The server cannot listen meanwhile, as the interpreter's lock is held.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _no_key_twice(pairs):
    if len(found := dict(pairs)) < len(pairs):
        raise RequestError(400, "The body must not hold a key twice.")
    return found


def _no_constant(text):
    raise RequestError(400, f"Numbers must be finite. Received: {text}.")


def _value(instance, name: str):
    if not isinstance(instance, dict) or instance.keys() != {name}:
        raise RequestError(
            400, f'Every instance must be a sample, or every one {{"{name}": sample}}.'
        )
    return instance[name]


def _texts(instances: list, limits: Limits) -> np.ndarray:
    for text in instances:
        if not isinstance(text, str) or len(text) > limits.characters:
            what = f"{len(text)} characters" if isinstance(text, str) else _kind(text)
            wanted = f"a text of {limits.characters} characters at most"
            raise RequestError(400, f"A sample must be {wanted}. Received: {what}.")
    try:
        return np.array([text.encode("utf-8") for text in instances], object)
    except UnicodeEncodeError as e:
        raise RequestError(400, "A text must be Unicode without lone surrogates.") from e


def _numbers(instances: list, spec) -> np.ndarray:
    raw = np.array(instances, object)  # keeps every entry as it was written
    types = set(map(type, raw.ravel().tolist()))
    if list in types or (wrong := sorted(_kind(t()) for t in types - {int, float})):
        what = "lists of different length, or nested too deeply" if list in types else wrong[0]
        raise RequestError(400, f"instances must be numbers, nested evenly. Received: {what}.")
    try:
        values = raw.astype("float64")
    except OverflowError as e:
        raise RequestError(400, "Numbers must be finite. Received: one of over 300 digits.") from e
    dtype = spec.dtype.as_numpy_dtype
    whole = np.issubdtype(dtype, np.integer)
    info = np.iinfo(dtype) if whole else np.finfo(dtype)
    low, high = float(info.min), float(info.max)
    if not ((values >= low) & (values <= high)).all():
        raise RequestError(400, f"Numbers must lie between {low:.17g} and {high:.17g}.")
    if whole and (values % 1).any():
        raise RequestError(400, f"Numbers must be whole: the model takes {spec.dtype.name}.")
    return values.astype(dtype)


def _kind(value) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return names.get(type(value), "null" if value is None else "a number")
