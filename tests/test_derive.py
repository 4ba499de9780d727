"""`@component` derives config and default name."""

import json

import keras
import pytest
from keras import ops

from kcatalog import checks, registry
from kcatalog.card import Example
from kcatalog.registry import component


class Family(keras.losses.Loss):
    """A base without a card that owns the whole constructor."""

    def __init__(self, margin=1.0, activation="relu", inner=None, levels=(1, 2), **kwargs):
        super().__init__(**kwargs)
        self.margin = checks.number(self, "margin", margin, "[0, inf)")
        self.activation = checks.activation(self, "activation", activation)
        self.inner, self.levels = inner, levels


@component(example=Example({"margin": 2.0}))
class FirstOfFamily(Family):
    """Adds nothing to the constructor."""

    def call(self, y_true, y_pred):
        return ops.relu(self.margin - y_pred)


@component(example=Example({"margin": 2.0}))
class SecondOfFamily(Family):
    """Adds one argument."""

    def __init__(self, *args, scale=1.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.scale = checks.number(self, "scale", scale, "[0, inf)")

    def call(self, y_true, y_pred):
        return self.scale * ops.relu(self.margin - y_pred)


def reloaded(part):
    text = json.dumps(keras.saving.serialize_keras_object(part))
    return keras.saving.deserialize_keras_object(json.loads(text))


def test_arguments_of_a_family_are_saved_and_loaded():
    part = FirstOfFamily(2.0, "gelu", inner=FirstOfFamily(3.0), reduction="sum", dtype="float16")
    config = part.get_config()
    assert {k: config[k] for k in ("margin", "activation", "levels")} == {
        "margin": 2.0,
        "activation": "gelu",
        "levels": (1, 2),
    }
    again = reloaded(part)
    assert (again.margin, again.reduction, again.dtype) == (2.0, "sum", "float16")
    assert again.activation is keras.activations.gelu
    assert isinstance(again.inner, FirstOfFamily)
    assert again.inner.margin == 3.0


def test_objects_in_lists_are_loaded():
    again = reloaded(FirstOfFamily(inner=[FirstOfFamily(3.0), {"deep": FirstOfFamily(4.0)}]))
    assert (again.inner[0].margin, again.inner[1]["deep"].margin) == (3.0, 4.0)


def test_a_config_written_before_loads():
    """Without the dtype of a loss, and with an object in Keras's older form."""
    again = FirstOfFamily.from_config({"margin": 2.0, "activation": "tanh"})
    assert again.dtype == "float32"
    l2 = {"class_name": "L2", "config": {"l2": 0.5}}
    layer = registry.describe("Prototypes").load().from_config({"classes": 2, "regularizer": l2})
    assert float(layer.regularizer.l2) == 0.5


def test_own_methods_are_kept():
    @component()
    class Own(FirstOfFamily):
        """Has state that is not its arguments."""

        def get_config(self):
            return {"margin": 7.0}

    assert Own().get_config() == {"margin": 7.0}
    assert Own.from_config(Own().get_config()).margin == 7.0


def test_custom_objects_are_found():
    class Unregistered(keras.optimizers.SGD):
        """Registered nowhere."""

    lookahead = registry.describe("Lookahead").load()
    config = lookahead(Unregistered(0.5)).get_config()
    again = lookahead.from_config(config, custom_objects={"Unregistered": Unregistered})
    assert type(again.inner) is Unregistered


def test_names_do_not_count():
    assert [FirstOfFamily().name for _ in range(2)] == ["first_of_family"] * 2
    assert FirstOfFamily(name="mine").name == "mine"
    assert registry.describe("GIoU").load()().name == "giou"
    assert registry.describe("NTXent").load()().name == "nt_xent"


def test_unknown_arguments_are_refused():
    with pytest.raises(TypeError, match=r"^FirstOfFamily .*'marign'. Did .* 'margin'"):
        FirstOfFamily(marign=1.0)
    with pytest.raises(TypeError, match=r"^RecallAtK has no argument .* Use one of: 'k',"):
        registry.describe("RecallAtK").load()(neighbours=1)
