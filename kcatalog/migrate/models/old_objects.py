"""Makes Keras 3 objects of what Keras 2 has written down: layers, losses, optimizers and others."""

from __future__ import annotations

import functools
import inspect

import keras
import numpy as np

import kcatalog
from kcatalog.migrate.models import arguments
from kcatalog.migrate.models.error import ModelError

ADDONS = "Addons>"
# where names of a kind stand in TensorFlow Addons
MODULES = {
    "layers": ("layers", "rnn", "seq2seq"),
    "losses": ("losses", "seq2seq"),
    "metrics": ("metrics",),
    "optimizers": ("optimizers",),
    "activations": ("activations",),
    "schedules": ("optimizers",),
}
_SPACES = {"schedules": "optimizers.schedules"}
_PARTS = {  # argument's ending -> kind of what is written there
    "initializer": "initializers",
    "regularizer": "regularizers",
    "constraint": "constraints",
    "activation": "activations",
}
# arguments that Keras 3 does not have, where this value means nothing
_NEUTRAL = {
    "ragged": (False, None),
    "time_major": (False,),
    "renorm": (False,),
    "amsgrad": (False,),
    "decay": (0, None),
    "is_legacy_optimizer": (False, None),
    "centered": (False,),
    "momentum": (0, None),
    "trainable": (True, None),
    "groups": (1,),  # of layers whose base class has them
}
_ANY = {  # arguments without a meaning in Keras 3, whatever their value
    "adjustment", "batch_input_shape", "batch_size", "build_input_shape",
    "experimental_autocast", "fused", "implementation", "input_length", "is_legacy_optimizer",
    "jit_compile", "kernel_constraint", "kernel_initializer", "kernel_regularizer", "key_shape",
    "query_shape", "renorm_clipping", "renorm_momentum", "value_shape", "virtual_batch_size",
}  # fmt: skip
_RENAMED = {  # (class, argument) -> argument
    ("LeakyReLU", "alpha"): "negative_slope",
    ("InputLayer", "batch_input_shape"): "batch_shape",
}
_DECAYING = {"AdamW": "Adam", "SGDW": "SGD"}
# arguments of layers whose weights are known
_ADJUSTED = {
    "WeightNormalization": {"data_init": False},  # the data has set g already
    "LayerNormLSTMCell": {"use_bias": True},  # for the offsets of its normalizations
}
# what may differ is looked for in their weights
_SETTLED = ("WeightNormalization", "TLU")
_CLASSES = {"SyncBatchNormalization": "BatchNormalization", "Model": "Functional"}


def name_of(old: dict) -> str:
    """Return the registered name of an object, such as `Addons>GELU`, or Keras's name for it."""
    name = old.get("registered_name") or old["class_name"]
    return name.removeprefix("Custom>") if hasattr(keras.optimizers, name[7:]) else name


class OldObjects:
    """Makes the new objects, and notes where they differ from the old ones.

    Attributes:
        notes: what the user should know about the objects made so far.
    """

    def __init__(self, notes: list[str]):
        self.notes = notes

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def revive(self, old, kind: str):
        """Return the Keras 3 object for one that was saved, or what needs no change as it is.

        Args:
            old: A dictionary of `class_name` and `config`, the name of a function, or None.
            kind: The module it is looked for in: `"layers"`, `"losses"`, ...
        """
        if old is None or isinstance(old, bool | int | float):
            return old
        if isinstance(old, str):
            return self._function(old, kind)
        if not isinstance(old, dict) or "class_name" not in old:
            return old
        name = name_of(old)
        if name in ("function", "__function__"):
            return self._function(old["config"], kind)
        config = dict(old.get("config") or {})
        try:
            if name.startswith(ADDONS):
                return self._addons(name.removeprefix(ADDONS), config, kind)
            return self._keras(name, config, kind)
        except ModelError:
            raise
        except (TypeError, ValueError) as e:
            label = f" {config['name']!r}" if isinstance(config.get("name"), str) else ""
            raise ModelError(f"Cannot rebuild {name}{label} of the old model: {e}") from e

    def _function(self, name: str, kind: str):
        """Return a function or class by a name of Keras (as it is) or of TensorFlow Addons."""
        if name.startswith(ADDONS):
            return self._reference(name.removeprefix(ADDONS), kind)
        try:
            getter = getattr(keras, kind).get
            if kind == "metrics" and name in ("accuracy", "acc", "crossentropy", "ce"):
                return name
            if getter(name) is None:
                raise ValueError(name)
        except ValueError:
            if arguments.row_of(name, MODULES.get(kind, ())):
                return self._reference(name, kind)
            raise ModelError(
                f"The model uses {name!r} ({kind}), which is neither Keras's nor of TensorFlow "
                "Addons: register your own for Keras 3 with "
                "keras.saving.register_keras_serializable, and name its module by --import."
            ) from None
        return name

    def _reference(self, name: str, kind: str):
        row = self._row(name, kind)
        path = row.reference or (row.to if row.plain else None)
        if path is None:
            why = row.hint or row.reason
            raise ModelError(f"The model uses {name} of TensorFlow Addons. {why}")
        return arguments.evaluate(path, {})

    @staticmethod
    def _row(name: str, kind: str):
        row = arguments.row_of(name, MODULES.get(kind, ()))
        if row is None:
            raise ModelError(f"TensorFlow Addons 0.23 has no {name} among its {kind}.")
        return row

    def _addons(self, name: str, config: dict, kind: str):
        row = self._row(name, kind)
        if kind == "optimizers" and config.get("exclude_from_weight_decay") and name in _DECAYING:
            exclude, decay = config.pop("exclude_from_weight_decay"), config.pop("weight_decay")
            inner = self._keras(_DECAYING[name], {**config, "name": _DECAYING[name]}, kind)
            decay = self.part("", decay)
            return kcatalog.optimizers.DecoupledWeightDecay(inner, decay, exclude=exclude)
        try:
            config = _decayed(config)
            into = row.into and config.get(row.into)
            # Yogi's activation is no layer's
            kept = (row.into, "activation" if kind == "optimizers" else None)
            old = {k: v if k in kept else self.part(k, v) for k, v in config.items()}
            row, new = arguments.new_call(row, old)
        except ModelError as e:
            label = config.get("name") or name
            raise ModelError(f"{name} {label!r} cannot be migrated: {e}") from e
        if into:
            return self.revive({**into, "config": {**into["config"], **new}}, kind)
        new |= _ADJUSTED.get(name, {})
        if row.differs and name not in _SETTLED:
            self.note(f"{name}: {row.differs}")
        found = arguments.resolve(row.to)
        if not isinstance(found, type):
            return functools.partial(found, **new)
        new = _accepted(found, new, name)
        if isinstance(new.get("name"), str) and new["name"] == config.get("name") == name:
            del new["name"]  # the old class's, where the user gave none
        made = found(**new)
        if row.expression:
            made = arguments.evaluate(row.expression, old, call=made)
        return made

    def _keras(self, name: str, config: dict, kind: str):
        name = _CLASSES.get(name, name)
        custom = keras.saving.get_registered_object(name)
        space = arguments.resolve("keras." + _SPACES.get(kind, kind))
        found = custom or getattr(space, name, None)
        if name == "TFOpLambda" or name == "SlicingOpLambda":
            raise ModelError(
                f"The model calls TensorFlow itself ({config.get('function') or config['name']})."
            )
        if name == "Lambda":
            raise ModelError(
                f"Lambda {config['name']!r} holds Python code that only the old interpreter can "
                "read: write it as a layer of your own and give the weights to the new model by "
                "--into."
            )
        if name == "ThresholdedReLU":
            found, config = keras.layers.ReLU, {"threshold": float(config.pop("theta")), **config}
        if name == "MeanMetricWrapper":
            name = "".join(word.title() for word in str(config.pop("fn")).split("_"))
            found = getattr(keras.metrics, name, None)
        if found is None:
            raise ModelError(
                f"The model uses {name} ({kind}), which Keras 3 does not have. If it is your own, "
                "register it for Keras 3 with keras.saving.register_keras_serializable, and name "
                "its module by --import."
            )
        if custom:
            return found.from_config(config)
        config = _decayed(config)
        new = {}
        for k, v in config.items():
            k = _RENAMED.get((name, k), k)
            new[k] = self.part(k, v)
        if name == "SyncBatchNormalization":
            new["synchronized"] = True
        return found(**_accepted(found, new, name))

    def part(self, argument: str, value):
        """Return the value of an argument of a config as Keras 3 wants it."""
        if argument == "dtype":
            return _dtype(value)
        if argument == "axis" and isinstance(value, list) and len(value) == 1:
            return value[0]
        if isinstance(value, dict) and value.get("class_name") == "__tuple__":
            return tuple(value["items"])
        ending = argument.rpartition("_")[2]
        if ending in _PARTS and value is not None:
            return self.revive(value, _PARTS[ending])
        if argument == "reduction" and isinstance(value, str):
            return "sum_over_batch_size" if value == "auto" else value
        if isinstance(value, dict) and "class_name" in value:
            return self.revive(value, _kind_of(argument, value))
        objects = isinstance(value, list) and [v for v in value if isinstance(v, dict)]
        if objects and any("class_name" in v for v in objects):
            return [self.part(argument.rstrip("s"), v) for v in value]
        if isinstance(value, float) and argument not in ("mean", "variance"):
            return float(str(np.float32(value))) if _short(value) else value
        return value


def _short(value: float) -> bool:
    """Tell whether a number is one of float32 that was widened, as optimizers of Keras 2 do it."""
    return value == float(np.float32(value)) and len(repr(value)) > 12


def _kind_of(argument: str, value: dict) -> str:
    if argument in ("optimizer", "inner_optimizer"):
        return "optimizers"
    if argument in ("learning_rate", "weight_decay", "initial_learning_rate"):
        return "schedules"
    return "layers"


def _dtype(value):
    """Return a dtype or policy by its name."""
    if isinstance(value, dict):
        return value["config"]["name"] if "name" in value.get("config", {}) else "float32"
    return value


def _decayed(config: dict) -> dict:
    """Turn the `decay` of old optimizers into the schedule that it stands for."""
    decay, rate = config.get("decay"), config.get("learning_rate")
    if not decay or not isinstance(rate, int | float):
        return config
    schedule = keras.optimizers.schedules.InverseTimeDecay(rate, 1, decay)
    return {**{k: v for k, v in config.items() if k != "decay"}, "learning_rate": schedule}


def _accepted(found: type, new: dict, name: str) -> dict:
    """Leave out arguments that the new class does not have, and refuse those that meant something.

    Keras 3's base classes have some that only Keras itself knows as `**kwargs`.
    """
    known = set()
    for cls in found.__mro__:
        if "__init__" in vars(cls):
            known |= set(inspect.signature(cls.__init__).parameters)
    if issubclass(found, keras.layers.Layer):
        known |= {"name", "dtype", "trainable"}
    kept = {}
    for k, v in new.items():
        if k in known:
            kept[k] = v
        elif k not in _ANY and v not in _NEUTRAL.get(k, (None,)):
            raise ModelError(
                f"{name} {new.get('name') or ''!r} has {k}={v!r}, which Keras 3 does not know."
            )
    return kept
