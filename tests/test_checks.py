import keras
import numpy as np
import pytest

from kcatalog import checks
from kcatalog.checks import Interval


class Owner:
    pass


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("[0, 1)", [0, 0.5], [1, -1e-9, float("nan")]),
        ("(0, 1]", [1, 1e-9], [0, 1.0001]),
        ("[1, inf)", [1, 1e300], [0.999, -1]),
        ("(-inf, inf)", [-1e300, 0], [float("nan")]),
    ],
)
def test_interval_compares_as_it_reads(text, inside, outside):
    assert all(v in Interval(text) for v in inside)
    assert not any(v in Interval(text) for v in outside)


@pytest.mark.parametrize("text", ["[0, 1)", "(0, 1]", "[1, inf)", "(-inf, 0)"])
def test_values_to_test_with_lie_outside(text):
    values = Interval(text).outside()
    assert values
    assert not any(v in Interval(text) for v in values)


def test_error_names_class_argument_rule_and_value():
    with pytest.raises(ValueError) as e:
        checks.number(Owner(), "rate", 1.5, "[0, 1)")
    assert str(e.value) == (
        "Owner: `rate` must be a number in [0, 1). Received: rate=1.5 (float). For example: 0.5."
    )


def test_given_value_comes_back_unchanged():
    given = np.float32(0.25)
    assert checks.number(Owner(), "rate", given, "[0, 1)") is given
    assert checks.integer(Owner(), "k", np.int64(3), "[1, inf)") == 3
    assert checks.integer(Owner(), "k", None, "[1, inf)", optional=True) is None


@pytest.mark.parametrize("bad", [True, "1", None, float("nan"), float("inf"), [1], 2.5])
def test_integer_refuses(bad):
    with pytest.raises(ValueError, match="Owner: `k` must be an integer in \\[1, inf\\)"):
        checks.integer(Owner(), "k", bad, "[1, inf)")


@pytest.mark.parametrize("bad", [[], 1.0, "12", [1, 0], [1, "2"], [True], [float("nan")], {1, 2}])
def test_numbers_list_refuses(bad):
    assert checks.numbers_list(Owner(), "counts", (1, 2.5), "(0, inf)") == (1, 2.5)
    rule = "Owner: `counts` must be a list of numbers in \\(0, inf\\)"
    with pytest.raises(ValueError, match=rule):
        checks.numbers_list(Owner(), "counts", bad, "(0, inf)")


def test_numbers_list_tells_how_to_make_one_of_an_array():
    with pytest.raises(ValueError, match=r"Write counts.tolist\(\)"):
        checks.numbers_list(Owner(), "counts", np.array([1, 2]), "(0, inf)")


def test_choice_suggests_the_closest():
    with pytest.raises(ValueError, match="Did you mean 'cosine'\\?"):
        checks.choice(Owner(), "distance", "cosin", ("euclidean", "cosine"))
    with pytest.raises(ValueError, match="must be one of 1, 2"):
        checks.choice(Owner(), "n", True, (1, 2))


def test_shapes_are_named():
    with pytest.raises(ValueError, match=r"must be \(batch, steps\), 2 axes. .*\(None, 3, 4\)"):
        checks.rank(Owner(), (None, 3, 4), 2, "(batch, steps)")
    with pytest.raises(ValueError, match="Give the Input a full shape"):
        checks.known_axis(Owner(), (None, None), -1, "features")


def test_keras_objects_by_name_or_instance():
    assert checks.activation(Owner(), "a", "relu").__name__ == "relu"
    assert checks.regularizer(Owner(), "r", None) is None
    with pytest.raises(ValueError, match="Owner: `i` must be a Keras initializer"):
        checks.initializer(Owner(), "i", "no-such")


@pytest.mark.parametrize("bad", [0, (1, 0), (1,), (1, 2, 3), "ab", True, 1.5, None, [[1, 2]]])
def test_pair_refuses(bad):
    assert checks.pair(Owner(), "strides", (1, 2), "[1, inf)") == (1, 2)
    rule = r"Owner: `strides` must be an integer in \[1, inf\), or two of them\. Received: strides="
    with pytest.raises(ValueError, match=rule):
        checks.pair(Owner(), "strides", bad, "[1, inf)")


def test_normalization_keeps_a_copy_without_weights():
    layer = keras.layers.BatchNormalization(momentum=0.9)
    layer.build((None, 3))
    kept = checks.normalization(Owner(), "normalization", layer)
    assert kept is not layer
    assert kept.momentum == 0.9
    assert not kept.weights


@pytest.mark.parametrize(("bad", "hint"), [("bach", "Did you mean 'batch'"), (3, "or None")])
def test_normalization_refuses(bad, hint):
    with pytest.raises(ValueError, match=f"Owner: `normalization` must be .*{hint}"):
        checks.normalization(Owner(), "normalization", bad)
