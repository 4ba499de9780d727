"""Derivation of what no part has to write: config, default name, docstring, direction."""

from __future__ import annotations

import functools
import inspect
import re
import sys
import types

from kcatalog import checks, docstrings
from kcatalog.card import By
from kcatalog.source import OF_EVERY_PART

# Keras is imported within: its first import imports every part, which needs this module whole.

_KERAS = {"higher": "up", "lower": "down"}


def config(cls: type):
    """Add `get_config` and `from_config` after the signature of `__init__`.

    Every argument is read from the attribute of its name and serialized by Keras. A class that
    defines either method itself keeps it: its state is more than its arguments.
    """
    import keras

    own = _arguments(cls)

    def get_config(self):
        try:
            base = super(cls, self).get_config()
        except NotImplementedError:  # Keras's regularizers and schedules have none
            base = {}
        if isinstance(self, keras.losses.Loss):
            base["dtype"] = self.dtype  # Keras leaves it out
        return {**base, **{n: _serialized(getattr(self, n)) for n in own if n not in base}}

    def from_config(cls_, config, custom_objects=None):
        with keras.saving.custom_object_scope(custom_objects or {}):
            arguments = {n: _deserialized(v) if n in own else v for n, v in config.items()}
        return super(cls, cls_).from_config(arguments)

    for method in (get_config, classmethod(from_config)):
        if method.__name__ not in vars(cls):
            setattr(cls, method.__name__, method)


def signature(cls: type):
    """Show the arguments that a constructor passes on to its family in `help()` too."""
    init = vars(cls).get("__init__")
    if init is None:
        return
    shown = inspect.signature(init)
    *own, last = shown.parameters.values()
    more = [p for n, p in arguments(cls).items() if n not in shown.parameters]
    if more:
        more = [p.replace(kind=p.KEYWORD_ONLY) for p in more]
        init.__signature__ = shown.replace(parameters=[*own, *more, last])


def docstring(cls: type):
    """Complete the docstring of a class by that of its family."""
    for base in cls.__mro__[1:]:
        if base.__module__.startswith("keras.") or base is object:
            return
        if cls.__doc__ and base.__doc__:
            own, family = inspect.cleandoc(cls.__doc__), inspect.cleandoc(base.__doc__)
            cls.__doc__ = docstrings.complete(own, family, list(arguments(cls)))


def name(cls: type):
    """Call instances of a loss or metric after their class, unless told otherwise.

    Keras alone would count them (`giou`, `giou_1`): logs and saved histories could not be compared.
    An unknown argument is reported as the part's; Python would name Keras's base class.
    """
    import keras

    init = cls.__init__
    parameters = inspect.signature(init).parameters
    keywords = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    stated = parameters["name"].default if "name" in parameters else None
    named_kinds = (keras.losses.Loss, keras.metrics.Metric)
    if not issubclass(cls, named_kinds) or stated or not ("name" in parameters or keywords):
        return

    known = _known_arguments(cls)

    @functools.wraps(init)
    def named(self, *args, name=None, **kwargs):
        unknown = next((k for k in kwargs if known and k not in known), None)
        if unknown:
            hint = checks.closest(unknown, known)
            raise TypeError(f"{cls.__name__} has no argument {unknown!r}. {hint}")
        init(self, *args, name=name or snake_case(cls.__name__), **kwargs)

    cls.__init__ = named


# The exception to "public Keras API only": `EarlyStopping` and the like read `_direction` of a
# metric when their mode is "auto", and Keras has no public way to state it. It stands here alone.


def direction(cls: type, better: str | By | None):
    """Tell Keras in which direction a metric improves."""
    if isinstance(better, By):
        values = better.directions
        cls._direction = property(lambda self: _KERAS[values[getattr(self, better.argument)]])
    elif better is not None:
        cls._direction = _KERAS[better]


def higher_is_better(metric) -> bool | None:
    """Return whether more of a metric is better; None where it does not say."""
    stated = getattr(metric, "_direction", None)
    return None if stated is None else stated == _KERAS["higher"]


# Another: `compile(loss="mse")` looks names up in a dictionary that Keras has no way to add to.


def by_name(cls: type, names: list[str]):
    """Let Keras find a class by name, as in `compile(loss="kcatalog>TripletHard")`."""
    import keras

    for kind, base in (
        (keras.losses, keras.losses.Loss),
        (keras.metrics, keras.metrics.Metric),
        (keras.regularizers, keras.regularizers.Regularizer),
        (keras.constraints, keras.constraints.Constraint),
        (keras.initializers, keras.initializers.Initializer),
    ):
        if issubclass(cls, base):
            known = getattr(sys.modules[kind.get.__module__], "ALL_OBJECTS_DICT", {})
            known.update(dict.fromkeys(names, cls))


def snake_case(name: str) -> str:
    """Return the name that Keras gives to an object of a class, with IoU as one word.

    >>> snake_case("TripletSemiHard"), snake_case("GIoU")
    ('triplet_semi_hard', 'giou')
    """
    name = name.replace("IoU", "iou")
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def arguments(cls: type) -> dict[str, inspect.Parameter]:
    """Return the arguments of a constructor by name.

    Where it passes `**kwargs` on to a base that is not Keras's, that one's follow, without those
    that every part has (`name`, `dtype`).
    """
    found = {}
    for base in cls.__mro__:
        if base.__module__.startswith("keras.") or base is object:
            break
        if "__init__" not in vars(base):
            continue
        parameters = list(inspect.signature(base.__init__).parameters.values())[1:]
        named = {
            p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        }
        if found:
            named = {n: p for n, p in named.items() if n not in OF_EVERY_PART}
        found |= {n: p for n, p in named.items() if n not in found}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return found


def _arguments(cls: type) -> list[str]:
    """Return the arguments that are not those of a Keras base alone."""
    if getattr(cls.__init__, "__module__", "keras.").startswith("keras."):  # or of `object`
        return []
    return list(arguments(cls))


def _known_arguments(cls: type) -> list[str]:
    """Return the arguments of a class and of the bases it passes them on to; [] if they are any."""
    names = []
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters.values()
        names += [p.name for p in parameters if p.kind is not p.VAR_KEYWORD and p.name != "self"]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return names
        if base.__module__.startswith("keras."):
            return []
    return names


def _serialized(value):
    import keras

    if isinstance(value, types.FunctionType):  # Keras's own by name
        return keras.activations.serialize(value)
    return keras.saving.serialize_keras_object(value)


def _deserialized(value):
    import keras

    if isinstance(value, list | tuple):
        return type(value)(map(_deserialized, value))
    if not isinstance(value, dict):
        return value
    if "class_name" in value and "module" not in value and value["class_name"][:2] != "__":
        return value  # an older form, which the argument's check understands
    return keras.saving.deserialize_keras_object(value)
