import numpy as np
import pytest

from kcatalog.ops import skip_grams
from tests.golden.load import golden


def reference(text, window):
    """Each word with those within its window, one by one."""
    return [
        (word, text[j])
        for i, word in enumerate(text)
        for j in range(max(0, i - window), min(len(text), i + window + 1))
        if j != i
    ]


def pairs(*arguments, **options):
    return list(zip(*(a.tolist() for a in skip_grams(*arguments, **options)), strict=True))


@pytest.mark.parametrize("window", [1, 3, 9])
def test_reference(rng, window):
    text = rng.integers(0, 20, 12)
    assert pairs(text, window, window) == reference(text.tolist(), window)


def test_golden():
    peer = golden("tfa_skip_grams")
    found = skip_grams(peer["ids"], max_skips=2, min_skips=2)
    assert sorted(zip(*map(list, found), strict=True)) == sorted(
        zip(peer["targets"].tolist(), peer["contexts"].tolist(), strict=True)
    )


def test_texts_stay_apart_and_the_seed_decides(rng):
    texts = [rng.integers(0, 9, n) for n in (7, 0, 1, 30)]
    one, two = pairs(texts, seed=3), pairs(texts, seed=3)
    assert one == two != pairs(texts, seed=4)
    apart = {p for text in texts for p in reference(text.tolist(), 5)}
    assert set(one) <= apart


def test_near_words_count_more():
    """Distance d is in the window of the share (max - d + 1) / max of all words."""
    text = np.arange(20_000)
    targets, contexts = skip_grams(text, max_skips=4, seed=0)
    share = np.bincount(np.abs(targets - contexts))[1:] / (2 * len(text))
    np.testing.assert_allclose(share, [1, 0.75, 0.5, 0.25], atol=0.02)


def test_frequent_words_are_left_out_at_the_rate_of_the_paper():
    """A word of share 0.9 is kept with √(t/f) + t/f, rare ones always."""
    rng = np.random.default_rng(0)
    text = np.where(rng.random(20_000) < 0.9, 0, rng.integers(1, 1000, 20_000))
    counts = np.bincount(text, minlength=1000)
    targets, _ = skip_grams(text, 1, counts=counts, subsampling=0.01, include_self=True, seed=1)
    f = counts[0] / counts.sum()
    kept = np.sum(targets == 0) / 3  # as target of itself and of two neighbours
    assert abs(kept / counts[0] - (np.sqrt(0.01 / f) + 0.01 / f)) < 0.01
    assert set(targets) == set(text)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (([0.5, 1.0],), "`ids` must be"),
        (([1], 0), "`max_skips` must be"),
        (([1], 2, 3), "`min_skips` must be"),
        (([1], 2, 1, False, None, 0.1), "`counts` must be"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises((ValueError, TypeError), match=f"skip_grams: {named}"):
        skip_grams(*arguments)
