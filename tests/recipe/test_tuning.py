"""A part's search space is drawn from its card; parts are chosen among."""

import types

import keras
import keras_tuner
import pytest

import kcatalog
from kcatalog import card
from kcatalog.recipe import tuning
from kcatalog.recipe.terminal.errors import RecipeError

CROSSENTROPY = "keras.losses.SparseCategoricalCrossentropy"
HINGE = "kcatalog.losses.CrammerSingerHinge"


def names(hp):
    return [h.name for h in hp.space]


def with_values(**values):
    hp = keras_tuner.HyperParameters()
    hp.values.update(values)
    return hp


def test_draw_builds_the_part_with_its_own_defaults():
    hp = keras_tuner.HyperParameters()
    layer = tuning.draw(hp, "keras.layers.Dropout", "drop", seed=3)
    assert isinstance(layer, keras.layers.Dropout)
    assert names(hp) == ["drop.rate"]
    assert (layer.rate, layer.seed) == (0.2, 3)  # the card's example; the argument given


def test_fixed_arguments_are_not_drawn():
    hp = keras_tuner.HyperParameters()
    layer = tuning.draw(hp, "keras.layers.Conv2D", "conv", filters=7)
    assert layer.filters == 7
    assert names(hp) == ["conv.kernel_size"]


def test_hyperparameters_reach_the_parts_that_are_drawn_under_their_name():
    hp = with_values(**{"drop.rate": 0.45})
    first, second = (tuning.draw(hp, "keras.layers.Dropout", "drop") for _ in range(2))
    assert first is not second
    assert first.rate == second.rate == 0.45
    assert names(hp) == ["drop.rate"]


@pytest.mark.parametrize(("samples", "size"), [(10, 4), (96, 8), (383, 31), (384, 32), (9999, 32)])
def test_few_samples_make_small_batches(samples, size):
    data, hp = types.SimpleNamespace(train=(range(samples), None)), keras_tuner.HyperParameters()
    assert tuning.batch_size(hp, data, 32) == size
    assert hp.values == ({} if size == 32 else {"batch_size": size})
    assert tuning.batch_size(with_values(batch_size=5), data, 32) == (32 if size == 32 else 5)


def test_choose_gives_each_option_a_space_of_its_own():
    hp = keras_tuner.HyperParameters()
    loss = tuning.choose(hp, "loss", [CROSSENTROPY, HINGE], fixed={"from_logits": True})
    assert isinstance(loss, keras.losses.SparseCategoricalCrossentropy)
    assert loss.get_config()["from_logits"] is True
    assert hp.values == {"loss": "SparseCategoricalCrossentropy"}
    assert "loss.CrammerSingerHinge.margin" in names(hp)  # known to the tuner, not active

    other = with_values(**{"loss": "CrammerSingerHinge", "loss.CrammerSingerHinge.margin": 0.5})
    hinge = tuning.choose(other, "loss", [CROSSENTROPY, HINGE], fixed={"from_logits": True})
    assert isinstance(hinge, kcatalog.losses.CrammerSingerHinge)
    assert hinge.margin == 0.5


def test_no_part_is_an_option():
    options = [None, "keras.regularizers.L2"]
    assert tuning.choose(keras_tuner.HyperParameters(), "penalty", options) is None
    chosen = tuning.choose(with_values(penalty="L2"), "penalty", options)
    assert isinstance(chosen, keras.regularizers.L2)


def test_options_with_arguments_of_their_own():
    options = [card.Part("keras.regularizers.L1", l1=0.25), "keras.regularizers.L2"]
    hp = keras_tuner.HyperParameters()
    assert float(tuning.choose(hp, "penalty", options).l1) == 0.25
    assert names(hp) == ["penalty", "penalty.L2.l2"]


def test_a_wrapper_takes_the_chosen_optimizer():
    optimizers = ["keras.optimizers.Adam", "keras.optimizers.SGD"]
    wrappers = [None, "kcatalog.optimizers.Lookahead"]
    hp = with_values(optimizer="SGD", wrapper="Lookahead")
    wrapped = tuning.optimizer(hp, optimizers, wrappers, fixed={"clipnorm": 1.0})
    assert isinstance(wrapped, kcatalog.optimizers.Lookahead)
    assert isinstance(wrapped.inner, keras.optimizers.SGD)
    assert wrapped.inner.clipnorm == 1.0
    assert "wrapper.Lookahead.sync_period" in hp.values
    plain = tuning.optimizer(keras_tuner.HyperParameters(), optimizers, wrappers)
    assert isinstance(plain, keras.optimizers.Adam)


def test_every_kind_of_space():
    part = "keras.optimizers.SGD"
    hp = with_values(**{"sgd.nesterov": True, "sgd.momentum": 0.9})
    sgd = tuning.draw(hp, part, "sgd")
    assert sgd.nesterov is True
    assert sgd.momentum == 0.9
    kinds = {h.name: type(h).__name__ for h in hp.space}
    assert kinds == {
        "sgd.learning_rate": "Float", "sgd.momentum": "Choice", "sgd.nesterov": "Boolean",
    }  # fmt: skip
    decay = tuning.draw(
        hp, "keras.optimizers.schedules.CosineDecay", "decay", initial_learning_rate=0.1
    )
    assert decay.decay_steps == 1000


def test_values_that_kerastuner_cannot_hold():
    space = card.Choice(None, "valid", (1, 2))
    hp = keras_tuner.HyperParameters()
    assert tuning._hyperparameter(hp, "x", space, (1, 2)) == (1, 2)
    assert tuning._hyperparameter(with_values(x="None"), "x", space, "valid") is None


class Own(keras.layers.Layer):
    """A user's own layer, without a card."""

    def __init__(self, rate=0.5):
        super().__init__()
        self.rate = rate


def test_a_users_own_part_needs_no_card():
    layer = tuning.draw(keras_tuner.HyperParameters(), "kcatalog_tests.Own", rate=0.1)
    assert type(layer).__name__ == "Own"


@pytest.fixture(autouse=True)
def _own_module(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "kcatalog_tests", sys.modules[__name__])


def test_mistakes_name_the_closest_match():
    hp = keras_tuner.HyperParameters()
    with pytest.raises(RecipeError, match="Did you mean 'CrammerSingerHinge'"):
        tuning.choose(hp, "loss", ["kcatalog.losses.CramerSingerHinge"])
    with pytest.raises(RecipeError, match="No module named 'nowhere'"):
        tuning.draw(hp, "nowhere.Part")
    with pytest.raises(ValueError, match="Did you mean 'from_logits'"):
        tuning.choose(hp, "loss", [CROSSENTROPY], fixed={"from_logit": True})
    with pytest.raises(ValueError, match="different class names"):
        tuning.choose(hp, "loss", [CROSSENTROPY, CROSSENTROPY])


@pytest.mark.parametrize("entry", kcatalog.registry.find(), ids=lambda e: e.path)
def test_every_card_can_be_drawn_from(entry):
    """Adding a part's path to a recipe is enough to make it tunable."""
    hp = keras_tuner.HyperParameters()
    drawn = tuning.draw_arguments(hp, entry.path, "part")
    assert drawn.keys() == entry.card.space.keys()
    for name, space in entry.card.space.items():
        assert drawn[name] in space
