"""Parts are found by their names, by those of other libraries and by synonyms."""

import pytest

from kcatalog import registry, search


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("NT-Xent", "losses.NTXent"),
        ("ntxent", "losses.NTXent"),
        ("InfoNCE", "losses.NTXent"),
        ("batch hard", "losses.TripletHard"),
        ("semi-hard mining", "losses.TripletSemiHard"),
        ("cosine annealing", "schedules.CosineDecay"),
        ("TripletHardLoss", "losses.TripletHard"),
        ("squeeze and excitation", "layers.SqueezeExcite"),
        ("SqueezeAndExcitation", "layers.SqueezeExcite"),
        ("one cycle", "schedules.OneCycle"),
        ("EMA", "optimizers.MovingAverage"),
        ("hermans 2017", "losses.TripletHard"),
    ],
)
def test_a_part_is_found_by_what_people_call_it(text, part):
    assert registry.describe(part) in registry.find(text=text)


def test_all_words_count_and_short_ones_begin_a_word():
    assert registry.find(text="triplet squeeze") == []
    assert len(registry.find(text="ema")) < 5


@pytest.mark.parametrize("word", search.SYNONYMS)
def test_each_synonym_finds_a_part(word):
    assert registry.find(text=word)
