import pytest

from kcatalog.card import Card, Choice, Example, Float, Int, Part, build_args, render_args


def test_float_holds_its_ends_and_numbers_only():
    space = Float(0.1, 0.4)
    assert 0.1 in space
    assert 0.4 in space
    assert 0.5 not in space
    assert True not in space
    assert "0.2" not in space


def test_float_corners_lie_within():
    assert Float(1e-4, 1e-2, log=True).corners() == [1e-4, pytest.approx(1e-3), 1e-2]
    assert Float(0.0, 0.5).corners() == [0.0, 0.25, 0.5]


def test_int_follows_its_steps():
    space = Int(1, 10, step=4)
    assert [n for n in range(12) if n in space] == [1, 5, 9]
    assert space.corners() == [1, 9]


def test_choice_tells_equal_values_of_different_types_apart():
    assert 1 in Choice(1, 2)
    assert True not in Choice(1, 2)
    assert 1.0 not in Choice(1, 2)


def test_part_is_built_afresh_each_time():
    part = Part("keras.optimizers.SGD", learning_rate=0.25)
    first, second = build_args({"inner": part})["inner"], part.build()
    assert first is not second
    assert float(second.learning_rate) == 0.25
    assert render_args({"inner": part, "k": 2}) == (
        "inner=keras.optimizers.SGD(learning_rate=0.25), k=2"
    )


def test_unknown_tag_is_refused():
    with pytest.raises(ValueError, match="Remove \\['shiny'\\]: each tag"):
        Card(tags=("shiny",))


def test_corners_move_one_argument_at_a_time():
    card = Card(space={"a": Choice(1, 2), "b": Choice("x")}, example=Example())
    assert list(card.corners()) == [{"a": 1}, {"a": 2}, {"b": "x"}]


def test_a_forgotten_comma_is_named():
    with pytest.raises(ValueError, match=r"Add a comma: tags=\('masking',\)"):
        Card(tags="masking")
