"""Data for a class that says nothing of itself: the first that it can be used on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from keras import ops

from kcatalog.card import Card, Example, build_args
from kcatalog.conformance import backend
from kcatalog.conformance.adapter import required_inputs
from kcatalog.conformance.exercise import as_layer, build, draws, exercise, mode_of
from kcatalog.conformance.subject import CheckError, Subject
from kcatalog.types import Shape

_SHAPES = {
    "layers": ((8, 8, 4), (7, 5), (6,)),
    "losses": ((5,), (8, 8, 3), (4,), ()),
    "metrics": ((5,), (8, 8, 3), ()),
    "regularizers": ((4, 3), (3, 3, 4, 4)),
    "constraints": ((4, 3), (3, 3, 4, 4)),
    "initializers": ((4, 3), (3, 3, 4, 4)),
}
_SCORES = (  # predictions and targets
    ("real", "one_hot"),
    ("real", "labels"),
    ("real", "real"),
    ("probabilities", "one_hot"),
    ("probabilities", "labels"),
    ("tokens", "labels"),
)
_SAMPLES = {"x": [[float(i)] for i in range(48)], "y": [i % 8 for i in range(48)]}
_IDS = 8


def example_for(
    s: Subject, args: dict[str, Any] | None = None, shape: Shape | None = None, **data: Any
) -> Subject:
    """Return a subject with the example asked for, and else its card's or the first that works.

    Raises:
        CheckError: a class without a card cannot be used on any.
    """
    if s.has_card:
        given = {"args": args, "shape": _tuple(shape), **data}
        given = {name: value for name, value in given.items() if value not in (None, {})}
        return replace(s, card=replace(s.card, example=replace(s.card.example, **given)))
    missing = [n for n, p in s.signature.items() if p.default is p.empty and n not in (args or {})]
    if missing and s.kind != "samplers":
        raise CheckError(
            f"{s.name} cannot be built without {', '.join(f'`{n}`' for n in missing)}. Give "
            f'constructor arguments: --args "{missing[0]}=..." on the command line, '
            f'args={{"{missing[0]}": ...}} in Python.'
        )
    reasons, finite, last = [], False, None
    for example in _examples(s, args or {}, _tuple(shape), data):
        undecided = "predictions" not in data and example.predictions == "real"
        guess = replace(s, card=Card(example=example))
        try:
            guess = replace(guess, card=replace(guess.card, tags=_tags(guess)))
            numbers = exercise(guess, guess.make()).values()
            finite = all(np.all(np.isfinite(np.asarray(n, "float64"))) for n in numbers)
        except Exception as e:  # a part that is not made for such data may raise anything
            reasons.append((guess, e))
            continue
        last = last or guess
        if finite and not (undecided and _wants_others(guess)):
            return _observed(guess)
    if last is not None:  # a part that is never finite is tried all the same
        return _observed(last)
    guess, error = reasons[0]
    raise CheckError(
        f"{s.name} cannot be used on the data that were tried, {guess.described()} first "
        f"({type(error).__name__}: {error}). Say what it takes: --shape 5,8 on the command line, "
        "shape=(5, 8) in Python, is one sample's shape without the batch axis."
    ) from error


def _tuple(shape):
    """Return a shape, or shapes, as tuples."""
    if shape is None or isinstance(shape, int):
        return shape if shape is None else (shape,)
    return tuple(_tuple(n) if isinstance(n, list | tuple) else n for n in shape)


def _examples(s: Subject, args: dict[Any, Any], shape, data: dict[Any, Any]) -> Iterator[Example]:
    """Yield what is tried, the likeliest first."""
    shapes = _SHAPES.get(s.kind, (None,)) if shape is None else (shape,)
    if s.kind == "samplers":
        yield Example({**_SAMPLES, **args})
    elif s.kind in ("losses", "metrics"):
        scores = [
            (p, t)
            for p, t in _SCORES
            if data.get("predictions", p) == p and data.get("targets", t) == t
        ] or [(data.get("predictions", "real"), data.get("targets", "real"))]
        for of, (predictions, targets) in itertools.product(shapes, scores):
            ids = {"classes": 2} if predictions == "tokens" else {}
            told = {**ids, "predictions": predictions, "targets": targets, **data}
            yield Example(args, of, **told)
            if targets == "labels" and len(of) > 1 and "target_shape" not in data:
                yield Example(args, of, target_shape=of[:-1], **told)  # a class for each pixel
    elif s.kind == "layers" and not data:
        inputs = required_inputs(s.cls(**build_args(args))) if shape is None else 1
        if inputs == 1:
            yield from (Example(args, of) for of in shapes)
        for of in shapes:
            if not of or not isinstance(of[0], tuple):
                yield from (Example(args, (of,) * n) for n in ({inputs} if inputs > 1 else (1, 2)))
        yield from (Example(args, of, predictions="tokens", classes=_IDS) for of in shapes[-2:])
    else:
        yield from (Example(args, of, **data) for of in shapes)


def _tags(s: Subject) -> tuple[str, ...]:
    """Return the claims that a class makes without a card, by what it is."""
    if s.kind == "schedules":
        return ("schedule",)
    if s.kind == "layers" and hasattr(s.make(), "state_size") and not s.adapted:
        part = s.make()
        return ("cell",) if hasattr(part, "output_size") and not hasattr(part, "cell") else ()
    return ()


def _observed(s: Subject) -> Subject:
    """Return the subject with what its behaviour says of it."""
    if s.kind == "layers" and "seed" in s.signature and draws(s, training=True):
        return replace(s, card=replace(s.card, tags=(*s.tags, "random")))
    return s


def _wants_others(s: Subject) -> bool:
    """Return whether a part takes probabilities or ids where it was given real numbers."""
    if s.kind in ("losses", "metrics"):
        return _takes_probabilities(s)
    return s.kind == "layers" and _takes_ids(s)


def _takes_ids(s: Subject) -> bool:
    """Return whether a layer's output depends on the whole numbers in its input alone."""
    layer, x = as_layer(s, s.make()), s.inputs()
    build(s, layer)
    outputs = [layer(ops.convert_to_tensor(n), **mode_of(layer)) for n in (x, np.trunc(x))]
    first, second = map(backend.as_numpy, outputs)
    return np.array_equal(first, second) and not np.allclose(first[:1], first[1:])


def _takes_probabilities(s: Subject) -> bool:
    """Return whether a loss or metric cuts predictions to [0, 1], or takes no logits."""
    part = s.make()
    if hasattr(part, "from_logits"):
        return not part.from_logits
    y_true, y_pred = s.targets_and_predictions()
    if s.kind == "losses":
        values = [part(y_true, p) for p in (y_pred, np.clip(y_pred, 0, 1))]
    else:
        values = []
        for p in (y_pred, np.clip(y_pred, 0, 1)):
            part.reset_state()
            part.update_state(y_true, p)
            values.append(part.result())
    return np.array_equal(*map(backend.as_numpy, values))
