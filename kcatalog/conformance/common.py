"""Checks for every kind: the card, the docstring, the configuration, the arguments."""

from __future__ import annotations

import doctest
import json
import sys
from typing import Any

import keras
import numpy as np

from kcatalog import docstrings
from kcatalog.checks import Interval
from kcatalog.conformance.exercise import exercise
from kcatalog.conformance.subject import Subject, require
from kcatalog.conformance.suite import check


def _has_card(s: Subject) -> bool:
    return s.has_card


def _has_config(s: Subject) -> bool:
    return s.kind not in ("callbacks", "samplers")


# --- what the part says of itself -------------------------------------------------------


@check(when=_has_card, once=True)
def card_complete(s: Subject) -> None:
    """A card names its source and its idea, and its example shows something."""
    require(s.card.paper is not None, "the card must name a paper or other source")
    formula = docstrings.first_formula(s.entry.sections.get("Maths", ""))
    require(formula or s.card.equation, "Maths must hold a formula, or the card give the equation")
    repeats = "the card repeats the first formula under Maths: leave `equation` out"
    require(s.card.equation.split() != formula.split() or not formula, repeats)
    base = _base_arguments(s)
    for name, value in s.card.example.args.items():
        known = name in s.signature or name in base
        require(known, f"the card's example gives `{name}`, no argument of __init__")
        default = s.signature[name].default if name in s.signature else None
        require(value != default, f"the card's example gives `{name}` its default value")
    if any(p.default is not p.empty for n, p in s.signature.items() if n not in base):
        require(s.card.example.args, "the card's example must set an argument to a non-default")


@check(when=_has_card, once=True)
def docstring_complete(s: Subject) -> None:
    """Summary and sections in order; Args equal to the signature; ranges as checked."""
    require(s.entry.summary, "the docstring must begin with a summary sentence")
    wanted = [
        t for t in docstrings.SECTIONS if t != "Args" or set(s.signature) - _base_arguments(s)
    ]
    have = [t for t in s.entry.sections if t in docstrings.SECTIONS]
    require(have == wanted, f"docstring sections must be {wanted}, in this order, not {have}")
    meanings = docstrings.argument_meanings(s.entry.sections.get("Args", ""))
    ours = [n for n in s.signature if n in meanings or n not in _base_arguments(s)]
    require(list(meanings) == ours, f"Args must describe {ours}, in this order: {list(meanings)}")
    for argument in s.entry.arguments:
        interval = argument.rule.removesuffix(" or None").split(" in ")[-1]
        if " in " in argument.rule:
            missing = f"Args: `{argument.name}` must tell its range, {interval}"
            require(interval in argument.meaning, missing)


@check(when=_has_card, once=True)
def docstring_example(s: Subject) -> None:
    """The docstring's example runs and prints what it says."""
    module = sys.modules[s.cls.__module__]
    text = s.entry.sections.get("Example", "")
    require(">>>" in text, "the Example section must be a doctest")
    test = doctest.DocTestParser().get_doctest(text, {**vars(module)}, s.name, None, 0)
    require(
        any(e.want.strip() for e in test.examples), "the example must print something to compare"
    )
    log: list[str] = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(verbose=False, optionflags=flags)  # also under `pytest -v`
    runner.run(test, out=log.append)
    require(not log, "".join(log))


# --- configuration ----------------------------------------------------------------------


def _base_arguments(s: Subject) -> set[str]:
    """Arguments that Keras's own base classes take (name, dtype, reduction, ...)."""
    import inspect

    names = {"name", "dtype", "reduction", "trainable"}
    for base in s.cls.__mro__[1:]:
        if base.__module__.startswith("keras."):
            names |= set(inspect.signature(base.__init__).parameters) - {"self"}
    return names


@check(when=_has_config, once=True)
def config_complete(s: Subject) -> None:
    """Every constructor argument stands in the config with the value it was given."""
    config = s.make().get_config()
    base = _base_arguments(s)
    missing = [n for n in s.signature if n not in config and n not in base and _matters(s, n)]
    require(
        not missing,
        f"get_config leaves out {missing}: the part would reload with default arguments",
    )
    for name, given in s.card.example.args.items():
        if isinstance(given, bool | int | float | str | None):
            same = config[name] == given or not isinstance(config[name], type(given))
            require(same, f"get_config gives {name}={config[name]!r} where {given!r} was passed")
    accepts_more = any(p.kind is p.VAR_KEYWORD for p in _parameters(s.cls))
    known = set(s.signature) | (_base_arguments(s) if accepts_more else set())
    extra = sorted(set(config) - known)
    without = f"get_config gives {extra}, which __init__ does not take"
    require(not extra or not s.has_card, without)  # `config_round_trip` tries whether it does


def _matters(s: Subject, name: str) -> bool:
    """Return whether an argument belongs into the config: an option that is not used may not."""
    used = s.signature[name].default is not None or name in s.card.example.args
    return s.has_card or used or name == "seed"


def _parameters(cls):
    import inspect

    return inspect.signature(cls.__init__).parameters.values()


@check(when=_has_config, once=True)
def config_round_trip(s: Subject) -> None:
    """Through real JSON and back, the part is the same."""
    part = s.make()
    text = json.dumps(keras.saving.serialize_keras_object(part))
    again = keras.saving.deserialize_keras_object(
        json.loads(text), custom_objects=None if _has_card(s) else {s.name: s.cls}
    )
    same = type(again) is type(part)  # which on PyTorch is Keras's own variant of an optimizer
    require(same, f"reloaded as {type(again).__name__}")
    before, after = _plain(part.get_config()), _plain(again.get_config())
    _require_same(before, after, "reloading changed the config")


@check(when=_has_config, once=True)
def config_unchanged_by_use(s: Subject) -> None:
    """Building and using a part leaves its arguments as they were given."""
    part = s.make()
    before = _plain(part.get_config())
    exercise(s, part)
    _require_same(before, _plain(part.get_config()), "use changed the config")


def _require_same(before: str, after: str, what: str):
    """Require two configs as JSON text to be equal, and name what is not."""
    old, new = json.loads(before), json.loads(after)
    changed = [n for n in {**old, **new} if (n in old, old.get(n)) != (n in new, new.get(n))]
    told = [f"{n} from {old.get(n)} to {new.get(n)}" for n in changed]
    require(not changed, f"{what}: {', '.join(told)}")


def _plain(config) -> str:
    """A config as JSON text, nested objects included, without state that training changes."""
    config = dict(config)
    if "learning_rate" in config and not isinstance(config["learning_rate"], dict):
        config["learning_rate"] = float(config["learning_rate"])
    text = json.dumps(keras.saving.serialize_keras_object(config), sort_keys=True)
    return json.dumps(json.loads(text, object_hook=_without_build), sort_keys=True)


def _without_build(fields: dict[Any, Any]) -> dict[Any, Any]:
    """A serialized object without the shapes it was built with, which Keras adds."""
    return {name: value for name, value in fields.items() if name != "build_config"}


# --- arguments --------------------------------------------------------------------------


@check(once=True)
def unknown_argument_raises(s: Subject) -> None:
    """A misspelt keyword is an error, not a setting silently ignored."""
    try:
        s.make(no_such_argument=1)
    except (TypeError, ValueError):
        return
    require(False, "an unknown keyword argument is accepted in silence")


@check(when=_has_card, once=True)
def bad_values_raise(s: Subject) -> None:
    """Every argument refuses a wrong type, NaN and values out of range, with the house error."""
    rules = {a.name: a.rule for a in s.entry.arguments}
    for name in s.signature:
        if name in _base_arguments(s):
            continue
        for bad in _bad_values(rules.get(name, "")):
            try:
                s.make(**{name: bad})
            except (ValueError, TypeError) as e:
                wanted = f"{s.name}: `{name}` must be "
                require(
                    str(e).startswith(wanted) and "Received: " in str(e),
                    f"the error for {name}={bad!r} must begin {wanted!r}: {e}",
                )
            else:
                require(False, f"{name}={bad!r} is accepted; call a check from kcatalog.checks")


def _bad_values(rule: str) -> list[Any]:
    bad: list[Any] = [object()]
    if rule.startswith(("number", "integer")):
        bad += [float("nan"), float("inf"), "1", True, [0.5]]
        bad += Interval(rule.removesuffix(" or None").split(" in ")[1]).outside()
    if rule.startswith("list of numbers"):
        outside = Interval(rule.split(" in ")[1]).outside()
        bad += [1.0, [], ["1"], *([value] for value in (float("nan"), True, *outside))]
    if rule.startswith("integer"):
        bad.append(1.5)
    if "|" in rule:
        bad += ["no-such-choice", 12345]
    return bad


# --- the search space -------------------------------------------------------------------


@check(when=lambda s: bool(s.card.space), once=True)
def search_space_valid(s: Subject) -> None:
    """Every dimension is an argument, and its default lies within it."""
    defaults = {a.name: a.default for a in s.entry.arguments if not a.required}
    for name, space in s.card.space.items():
        require(name in s.signature, f"the search space has `{name}`, no argument of __init__")
        default = defaults.get(name)
        if isinstance(default, bool | int | float | str):
            outside = f"the default {name}={default!r} lies outside its search space, {space}"
            require(default in space or float_in(default, space), outside)


def float_in(value: Any, space: Any) -> bool:
    """Return whether a whole-number default such as 1 lies in a space of real numbers."""
    return isinstance(value, int) and not isinstance(value, bool) and float(value) in space


@check(when=lambda s: bool(s.card.space), once=True)
def search_space_corners(s: Subject) -> None:
    """At every end of every dimension the part builds and takes one training step."""
    for corner in s.card.corners():
        result = exercise(s, s.make(**corner))
        bad = [k for k, v in result.items() if not np.all(np.isfinite(np.asarray(v, "float64")))]
        require(not bad, f"with {corner} the {', '.join(bad)} is NaN or infinite")
