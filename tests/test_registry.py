import dataclasses
import importlib
import pathlib

import keras
import numpy as np
import pytest

import kcatalog
from kcatalog import registry
from kcatalog.card import Choice
from kcatalog.source import SourceError

SOURCE = '''
from kcatalog import checks
from kcatalog.card import Choice, Example
from kcatalog.registry import component


@component(equation="y = 2x", space={"mode": Choice("a", "b")}, example=Example({"mode": "b"}))
class Twice:
    """Doubles its input.

    More words.

    Args:
        mode: How, with
            a second line.
        rate: How much, in [0, 1).
    """

    def __init__(self, mode="a", *, rate=0.5, fn=len, needed, **kwargs):
        self.mode = checks.choice(self, "mode", mode, ("a", "b"))
        self.rate = checks.number(self, "rate", rate, "[0, 1)", optional=True)


class Helper:
    """Not a part."""
'''


def test_source_is_read_without_running_it():
    (entry,) = registry.read_source(SOURCE, "layers", pathlib.Path("twice.py"))
    assert entry.path == "kcatalog.layers.Twice"
    assert entry.summary == "Doubles its input."
    assert entry.card.space == {"mode": Choice("a", "b")}
    told = {a.name: (a.required, a.default, a.rule, a.meaning) for a in entry.arguments}
    assert told == {
        "mode": (False, "a", "'a' | 'b'", "How, with a second line."),
        "rate": (False, 0.5, "number in [0, 1) or None", "How much, in [0, 1)."),
        "fn": (False, "len", "", ""),
        "needed": (True, None, "", ""),
    }


def test_a_rule_is_text_for_readers_and_no_code():
    for entry in registry.find(origin="kcatalog"):
        for argument in entry.arguments:
            assert "(*" not in argument.rule, f"{entry.path}: {argument.name}"
            assert not argument.rule.isidentifier(), f"{entry.path}: {argument.name}"


def test_card_must_be_plain_data():
    source = SOURCE.replace('"y = 2x"', "compute()")
    with pytest.raises(ValueError, match=r"must be written with literals .*'compute'"):
        registry.read_source(source, "layers", pathlib.Path("twice.py"))


def test_find_combines_filters():
    found = registry.find(kind="layers", tag="shape-preserving", text="squeeze-and-excitation:")
    assert [e.name for e in found] == ["SqueezeExcite"]


def test_describe_by_any_spelling():
    for name in ("SqueezeExcite", "squeezeexcite", "layers.SqueezeExcite"):
        assert registry.describe(name).path == "kcatalog.layers.SqueezeExcite"


def test_describe_suggests_the_closest():
    with pytest.raises(LookupError, match="Did you mean 'SqueezeExcite'"):
        registry.describe("SqueezExite")


def test_keras_facts_are_read_from_keras():
    entry = registry.describe("keras.optimizers.Adam")
    assert entry.origin == "keras"
    assert {a.name: a.default for a in entry.arguments}["beta_1"] == 0.9
    assert entry.load() is keras.optimizers.Adam


def test_example_code_runs():
    for entry in registry.find(origin="kcatalog"):
        scope = {}
        exec(entry.example_code(), scope)  # noqa: S102 - what `kcatalog show` offers to paste
        assert isinstance(scope["part"], entry.load())


def test_kind_of_says_what_is_expected():
    with pytest.raises(TypeError, match="must derive from a Keras layer, loss"):
        registry.kind_of(dict)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (SOURCE.replace("@component(equation", '@component(tags=("shiny",), equation'), "shiny"),
        (SOURCE.replace("class Twice:", "class Twice"), "line 8: expected ':'"),
        (SOURCE.replace('"y = 2x"', '"y = 2x", colour="red"'), "colour"),
    ],
    ids=["unknown tag", "syntax", "unknown field"],
)
def test_a_broken_part_is_named_with_its_file(wrong, message):
    with pytest.raises(SourceError, match=r"twice\.py, line") as e:
        registry.read_source(wrong, "layers", pathlib.Path("twice.py"))
    assert message in str(e.value)


def test_a_part_that_is_not_exported_says_where_to_export_it():
    entry = registry.describe("SqueezeExcite")
    hidden = dataclasses.replace(entry, name="Hidden", path="kcatalog.layers.Hidden")
    with pytest.raises(LookupError, match=r"import it in kcatalog/layers/__init__\.py"):
        hidden.load()


FAMILY = '''
import keras


class Family(keras.losses.Loss):
    """Base.

    Args:
        margin: How far.
    """

    def __init__(self, margin=1.0, **kwargs):
        super().__init__(**kwargs)
        self.margin = margin
'''
MEMBER = '''
from a_family import Family

from kcatalog.registry import component


@component()
class Member(Family):
    """A member of a family that another file, of another package, defines."""
'''


def test_a_family_of_ones_own_is_told_too(tmp_path, monkeypatch):
    (tmp_path / "a_family.py").write_text(FAMILY)
    (tmp_path / "a_member.py").write_text(MEMBER)
    monkeypatch.syspath_prepend(tmp_path)
    member = importlib.import_module("a_member").Member
    assert registry.describe_class(member).sections == {"Args": "margin: How far."}
    assert "margin: How far." in member.__doc__


def test_inherited_arguments_are_told():
    entry = registry.describe("GradientCentralization")
    assert [a.name for a in entry.arguments] == ["inner", "name"]


@pytest.mark.slow
def test_keras_finds_parts_by_name():
    for name in ("kcatalog>RecallAtK", "kcatalog.metrics>RecallAtK"):
        assert type(keras.metrics.get(name)) is kcatalog.metrics.RecallAtK
    for name in ("kcatalog>TripletHard", "kcatalog.losses>TripletHard"):
        assert type(keras.losses.get(name)) is kcatalog.losses.TripletHard
    assert type(keras.regularizers.get("kcatalog>GroupLasso")) is kcatalog.regularizers.GroupLasso
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile("sgd", loss="kcatalog>TripletHard", metrics=["kcatalog>RecallAtK"])
    x = np.eye(4, 2, dtype="float32")
    logs = model.evaluate(x, np.array([0, 0, 1, 1]), verbose=0, return_dict=True)
    assert {"loss", "kcatalog>RecallAtK"} <= set(logs)


def test_a_part_with_arguments_says_so_when_asked_for_by_name():
    with pytest.raises(TypeError, match="num_classes"):
        keras.metrics.get("kcatalog>CohenKappa")
