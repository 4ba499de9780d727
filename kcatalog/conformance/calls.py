"""Checks that a call keeps nothing on the part: threads and errors find it as it was."""

from __future__ import annotations

import inspect
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
from keras import ops

from kcatalog.conformance import backend
from kcatalog.conformance.exercise import as_layer, build, mode_of, repeats
from kcatalog.conformance.subject import BATCH, Subject, close, require
from kcatalog.conformance.suite import check


@check("layers", "losses", "regularizers", "constraints", "initializers", once=True)
def nothing_kept(s: Subject) -> None:
    """While it is called a part changes none of its attributes, not even for a moment.

    What it kept would meet that of another thread, and an error would leave it there.
    """
    part, call = _part(s), _CALLS[s.kind]
    call(s, part, BATCH)  # what is made once, at the first call, may stay
    before, codes, changed = _attributes(part), _codes(type(part)) | _codes(s.cls), []

    def trace(frame, event, arg):
        if frame.f_code not in codes:
            return None
        changed.extend(_differences(before, _attributes(part)))
        return trace

    traced = sys.gettrace()
    sys.settrace(trace)
    try:
        call(s, part, BATCH)
    finally:
        sys.settrace(traced)
    changed += _differences(before, _attributes(part))
    require(not changed, f"a call writes to `{changed[0] if changed else ''}`: pass it on instead")


@check("layers", "losses", when=lambda s: s.kind == "losses" or repeats(s), once=True)
def threads_agree(s: Subject) -> None:
    """Called by several threads at once, each gets the result for its own input."""
    part, call = _part(s), _CALLS[s.kind]
    sizes = (BATCH, BATCH // 2)
    alone = [call(s, part, size) for size in sizes]
    begin = threading.Barrier(len(sizes))

    def run(size):
        begin.wait()
        return [call(s, part, size) for _ in range(2)]

    with ThreadPoolExecutor(len(sizes)) as threads:
        for results, expected in zip(threads.map(run, sizes), alone, strict=True):
            for result in results:
                close(result, expected, "one of two threads")


def _part(s: Subject):
    part = s.make()
    if s.kind == "layers":
        part = as_layer(s, part)
        build(s, part)
    return part


def _call_layer(s, part, batch):
    x = s.inputs()[:batch] * (1 + BATCH - batch)
    return backend.as_numpy(part(ops.convert_to_tensor(x), **mode_of(part)))


def _call_loss(s, part, batch):
    return backend.as_numpy(part(*s.targets_and_predictions(batch)))


def _call_on_weight(s, part, batch):
    return backend.as_numpy(part(ops.convert_to_tensor(s.weight())))


_CALLS = {
    "layers": _call_layer,
    "losses": _call_loss,
    "regularizers": _call_on_weight,
    "constraints": _call_on_weight,
    "initializers": lambda s, part, _: backend.as_numpy(part(s.weight().shape, dtype="float32")),
}


def _codes(cls: type) -> set[types.CodeType]:
    """Return the code of a class's own methods and of its bases outside of Keras."""
    found, ahead = set(), []
    for base in cls.__mro__[:-1]:
        if base.__module__.split(".")[0] in ("keras", "tensorflow", "torch"):
            continue
        for value in vars(base).values():
            for function in (value, getattr(value, "fget", None), getattr(value, "__func__", None)):
                if isinstance(function, types.FunctionType):
                    ahead.append(inspect.unwrap(function).__code__)
    while ahead:
        code = ahead.pop()
        found.add(code)
        ahead += [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return found


_KERAS = set(vars(keras.layers.Layer())) | {"_called"}  # its own book-keeping, such as `_losses`
_CONTENT = (dict, list, tuple, set)
_LEAVES = (type, types.FunctionType, types.MethodType, types.ModuleType, np.ndarray, keras.Variable)


def _attributes(part) -> dict[str, object]:
    """Return path -> value for a part's attributes, and for those of what it consists of."""
    found, seen = {}, set()

    def look(path, value):
        if isinstance(value, _LEAVES) or ops.is_tensor(value) or id(value) in seen:
            found[path] = value
            return
        if isinstance(value, _CONTENT):
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
        elif hasattr(value, "__dict__"):
            skipped = _KERAS if isinstance(value, keras.layers.Layer) else ()
            pairs = [(n, v) for n, v in vars(value).items() if n not in skipped]
        else:
            found[path] = value
            return
        seen.add(id(value))
        for name, inner in list(pairs):
            look(f"{path}.{name}".lstrip("."), inner)

    look("", part)
    return found


def _differences(before, after) -> list[str]:
    missing = object()
    return [
        path
        for path in {**before, **after}
        if before.get(path, missing) is not after.get(path, missing)
    ]
