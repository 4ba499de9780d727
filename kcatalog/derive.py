"""What `@component` derives for a class, so that no part has to write it: config and name."""

from __future__ import annotations

import functools
import inspect
import re
import types

import keras

_KERAS_OBJECTS = (keras.losses.Loss, keras.metrics.Metric)


def config(cls: type):
    """Add `get_config` and `from_config` after the signature of `__init__`.

    Every argument is read from the attribute of its name and serialized by Keras. A class that
    defines either method itself keeps it: its state is more than its arguments.
    """
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


def name(cls: type):
    """Call instances of a loss or metric after their class, unless told otherwise.

    Keras alone would count them (`giou`, `giou_1`): logs and saved histories could not be compared.
    """
    init = cls.__init__
    parameters = inspect.signature(init).parameters
    keywords = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    stated = parameters["name"].default if "name" in parameters else None
    if not issubclass(cls, _KERAS_OBJECTS) or stated or not ("name" in parameters or keywords):
        return

    @functools.wraps(init)
    def named(self, *args, name=None, **kwargs):
        init(self, *args, name=name or snake_case(cls.__name__), **kwargs)

    cls.__init__ = named


def snake_case(name: str) -> str:
    """The name that Keras gives to an object of a class, with IoU as one word.

    >>> snake_case("TripletSemiHard"), snake_case("GIoU")
    ('triplet_semi_hard', 'giou')
    """
    name = name.replace("IoU", "iou")
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _arguments(cls: type) -> list[str]:
    """The arguments that are not those of a Keras base alone."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    if getattr(cls.__init__, "__module__", "keras.").startswith("keras."):  # or of `object`
        return []
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    return [p.name for p in parameters if p.kind in named]


def _serialized(value):
    if isinstance(value, types.FunctionType):  # Keras's own by name
        return keras.activations.serialize(value)
    return keras.saving.serialize_keras_object(value)


def _deserialized(value):
    if isinstance(value, list | tuple):
        return type(value)(map(_deserialized, value))
    if not isinstance(value, dict):
        return value
    if "class_name" in value and "module" not in value and value["class_name"][:2] != "__":
        return value  # an older form, which the argument's check understands
    return keras.saving.deserialize_keras_object(value)
