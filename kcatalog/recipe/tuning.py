"""Draws a part's search space from its card, and chooses among parts.

For a recipe's `build(hp, data)`, where `hp` are KerasTuner's hyperparameters. A part needs no
more than its public path here: which of its arguments are tuned, and how, its card says.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from kcatalog import card, checks, derive, registry
from kcatalog.keras_parts import KERAS_PARTS
from kcatalog.recipe.terminal.errors import RecipeError

NONE = "none"  # how "no part" reads among a hyperparameter's values
EPOCH_STEPS, SMALLEST_BATCH = 12, 4  # of a training with few samples


def batch_size(hp: Any, data: Any, most: int) -> int:
    """Return the batch size: `most`, or less where an epoch would have fewer than 12 steps.

    A smaller one becomes the hyperparameter "batch_size", which the engine uses. With few samples,
    a training in large batches ends after a few dozen steps, before the model has learned.

    Args:
        hp: KerasTuner's hyperparameters.
        data: whose training split is counted.
        most: the recipe's batch size.
    """
    size = min(most, max(SMALLEST_BATCH, len(data.train[0]) // EPOCH_STEPS))
    return size if size == most else hp.Fixed("batch_size", size)


def choose(hp: Any, name: str, options: list[Any], fixed: dict[Any, Any] | None = None):
    """One of `options`, built, with the search space on its card drawn.

    Hyperparameters: `name` is the chosen class, `name.Class.argument` what was drawn for it;
    the latter exist only where their class is chosen.

    Args:
        hp: KerasTuner's hyperparameters.
        name: names the choice, such as "loss".
        options: public paths ("keras.losses.Huber"), parts with arguments of their own
            (`kcatalog.card.Part`), or None for no part at all. The first is the default.
        fixed: arguments that are not tuned, given to every option that has them.

    Returns:
        A new object, or None where None was chosen.
    """
    fixed = fixed or {}
    parts = [o if isinstance(o, card.Part) or o is None else card.Part(o) for o in options]
    labels = [NONE if p is None else p.path.rsplit(".", 1)[1] for p in parts]
    if len(set(labels)) < len(labels):
        raise checks.error("tuning.choose", "options", "parts with different class names", options)
    known = {p.path: _parameters(p.path) for p in parts if p}
    for argument in fixed:
        if not any(argument in parameters for parameters in known.values()):
            hint = checks.closest(argument, set().union(*known.values()))
            raise checks.error("tuning.choose", "fixed", "arguments of an option", fixed, hint)
    chosen, built = hp.Choice(name, labels), None
    if chosen not in (*labels, None):  # as a damaged or hostile run.toml may have it
        raise RecipeError(f"{name} must be one of {', '.join(labels)}. Received: {chosen!r}.")
    for label, part in zip(labels, parts, strict=True):
        if part is None:
            continue
        given = {k: v for k, v in fixed.items() if k in known[part.path]}
        given |= card.build_args(part.args)
        with hp.conditional_scope(name, [label]):
            arguments = draw_arguments(hp, part.path, f"{name}.{label}", **given)
            if label == chosen:
                built = _import(part.path)(**arguments)
            else:  # its whole space is registered: KerasTuner need not build a model to see it
                hp.inactive_scopes.pop()
    return built


def draw(hp: Any, path: str, name: str | None = None, **fixed: Any):
    """Build the part at `path`, its card's search space drawn as `name.argument`.

    Args:
        hp: KerasTuner's hyperparameters.
        path: the part's public path.
        name: names the part's hyperparameters; its class name by default. Parts drawn under
            one name share their values.
        fixed: arguments that are not tuned.
    """
    name = name or path.rsplit(".", 1)[1]
    return _import(path)(**draw_arguments(hp, path, name, **fixed))


def draw_arguments(hp: Any, path: str, name: str, **fixed: Any) -> dict[Any, Any]:
    """Return `fixed`, and a value for every other argument in the card's search space."""
    facts, defaults, drawn = card_of(path), _parameters(path), {}
    for argument, space in facts.space.items():
        if argument not in fixed:
            default = _default(space, defaults[argument], facts.example.args.get(argument))
            drawn[argument] = _hyperparameter(hp, f"{name}.{argument}", space, default)
    return {**drawn, **fixed}


def optimizer(
    hp: Any, options: list[Any], wrappers: list[Any] = (None,), fixed: dict[Any, Any] | None = None
):
    """Build an optimizer, perhaps inside a wrapper, whose argument `inner` it becomes.

    Hyperparameters: "optimizer", "wrapper", and what the chosen ones draw.
    """
    inner = choose(hp, "optimizer", options, fixed)
    if list(wrappers) == [None]:
        return inner
    wrapped = choose(hp, "wrapper", list(wrappers), fixed={"inner": inner})
    return inner if wrapped is None else wrapped


def card_of(path: str) -> card.Card:
    """Return a part's card; an empty one for a user's own class that has none.

    Only this part is read: the whole catalog would take half a second of every start.
    """
    if path in KERAS_PARTS:
        return KERAS_PARTS[path]
    if path.startswith("keras."):
        raise _unknown(path)
    try:
        return registry.card_of(_import(path)) or card.Card()
    except RecipeError as e:
        raise (_unknown(path) if path.startswith("kcatalog.") else e) from e


def _unknown(path: str) -> RecipeError:
    """Return the error that names the closest part."""
    try:
        registry.describe(path)
    except LookupError as e:
        return RecipeError(str(e))
    return RecipeError(f"{path} must be a public path. See `kcatalog list`.")


def _import(path: str) -> type:
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as e:
        raise RecipeError(f"There is no part at {path!r}: {e}.") from e


def _parameters(path: str) -> dict[Any, Any]:
    """Return a part's arguments and their defaults, inherited ones included."""
    card_of(path)  # has the better message where there is no such part
    part = _import(path)
    parameters = inspect.signature(part.__init__).parameters | derive.arguments(part)
    return {p.name: p.default for p in parameters.values() if p.name != "self"}


def _default(space: card.Space, *candidates):
    """Return the part's own default if it lies in the space, else its example's value."""
    for value in candidates:
        if value in space:
            return value
    return space.values[0] if isinstance(space, card.Choice) else space.corners()[-2]


def _hyperparameter(hp, name: str, space: card.Space, default):
    """Draw from a space with KerasTuner; None where its conditional scope is not active."""
    if isinstance(space, card.Float):
        sampling = "log" if space.log else "linear"
        return hp.Float(name, space.low, space.high, sampling=sampling, default=default)
    if isinstance(space, card.Int):
        how = {"sampling": "log"} if space.log else {"step": space.step}
        return hp.Int(name, space.low, space.high, default=default, **how)
    kinds = {type(v) for v in space.values}
    if kinds == {bool} and len(space.values) == 2:
        return hp.Boolean(name, default=default)
    if len(kinds) == 1 and kinds <= {str, int, float}:
        return hp.Choice(name, list(space.values), default=default)
    labels = {repr(v): v for v in space.values}  # KerasTuner wants values of one plain type
    return labels.get(hp.Choice(name, list(labels), default=repr(default)))
