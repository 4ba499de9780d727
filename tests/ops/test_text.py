import numpy as np
import pytest
from keras import ops

from kcatalog.conformance import backend
from kcatalog.ops.text import common_subsequence, edit_distance, ngram_matches
from kcatalog.ops.tokens import ids_of, tokens_and_lengths


def reference_edits(a, b):
    """Wagner and Fischer's table, cell by cell."""
    D = np.zeros((len(a) + 1, len(b) + 1), int)
    D[:, 0], D[0] = range(len(a) + 1), range(len(b) + 1)
    for i, j in np.ndindex(len(a), len(b)):
        replaced = D[i, j] + (a[i] != b[j])
        D[i + 1, j + 1] = min(D[i, j + 1] + 1, D[i + 1, j] + 1, replaced)
    return D[-1, -1]


def reference_common(a, b):
    """The textbook's table of longest common subsequences."""
    L = np.zeros((len(a) + 1, len(b) + 1), int)
    for i, j in np.ndindex(len(a), len(b)):
        L[i + 1, j + 1] = L[i, j] + 1 if a[i] == b[j] else max(L[i, j + 1], L[i + 1, j])
    return L[-1, -1]


def ngrams_of(sentence, n):
    return [tuple(sentence[i : i + n]) for i in range(len(sentence) - n + 1)]


def reference_matches(p, references, n):
    """Every different n-gram, by the most often it stands in one reference."""
    grams = ngrams_of(p, n)
    return sum(
        min(grams.count(g), max(ngrams_of(r, n).count(g) for r in references)) for g in set(grams)
    )


@pytest.mark.parametrize("lengths", [(9, 6), (1, 7), (5, 0)])
def test_reference_of_edits(rng, lengths):
    a, b = (rng.integers(0, 4, (30, n)) for n in lengths)
    n_a, n_b = (rng.integers(0, n + 1, 30) for n in lengths)
    D, L = edit_distance(a, n_a, b, n_b), common_subsequence(a, n_a, b, n_b)
    pairs = [(list(x[:n]), list(y[:m])) for x, n, y, m in zip(a, n_a, b, n_b, strict=True)]
    np.testing.assert_array_equal(backend.as_numpy(D), [reference_edits(*p) for p in pairs])
    np.testing.assert_array_equal(backend.as_numpy(L), [reference_common(*p) for p in pairs])


@pytest.mark.parametrize("length", [9, 2])
def test_reference_of_ngrams(rng, length):
    p, r = rng.integers(0, 3, (20, length)), rng.integers(0, 3, (20, 2, 8))
    n_p, n_r = rng.integers(0, length + 1, 20), rng.integers(0, 9, (20, 2))
    p_tensor, r_tensor = ops.convert_to_tensor(p), ops.convert_to_tensor(r)
    matches = backend.as_numpy(ngram_matches(p_tensor, n_p, r_tensor, n_r, 4))
    for s in range(20):
        references = [list(r[s, k, : n_r[s, k]]) for k in range(2)]
        expected = [reference_matches(list(p[s, : n_p[s]]), references, n) for n in range(1, 5)]
        np.testing.assert_array_equal(matches[s], expected)


def tokens_of(y_true, y_pred, mask_token_id=None, **kwargs):
    return tokens_and_lengths("Test", *ids_of("Test", y_true, y_pred, mask_token_id), **kwargs)


def test_text_in_every_form():
    same = [
        (["a b c", "b"], ["a b", ""]),
        ([["a", "b", "c"], ["b"]], [["a", "b"], []]),
        (np.array(["a b c", "b"]), ("a b", "")),
        ([b"a b c", "b"], np.array([b"a b", b""])),
        ([[1, 2, 3], [2]], [[1, 2], []]),
        ([["a b c"], ["b"]], ["a b", ""]),
    ]
    for y_true, y_pred in same:
        r, n_r, p, n_p = map(backend.as_numpy, tokens_of(y_true, y_pred))
        assert (n_r.tolist(), n_p.tolist()) == ([[3], [1]], [2, 0])
        assert r[0, 0, :2].tolist() == p[0, :2].tolist() != r[0, 0, 1:3].tolist()
        assert r[1, 0, 0] == r[0, 0, 1]


def test_padding_is_left_out_wherever_it_stands():
    _, n_r, p, n_p = tokens_of([[0, 7, 0]], [[0, 5, 0, 6]], 0)
    assert backend.as_numpy(n_r).tolist() == [[1]]
    assert backend.as_numpy(p)[0, : int(n_p[0])].tolist() == [5, 6]


def test_scores_count_by_their_largest(rng):
    scores = rng.normal(size=(2, 3, 5))
    _, _, p, _ = tokens_of(np.zeros((2, 3)), scores)
    np.testing.assert_array_equal(backend.as_numpy(p), scores.argmax(-1))


def test_several_references_only_where_they_mean_something():
    several = np.zeros((2, 3, 4))
    tokens_of(several, np.zeros((2, 4)), references=None)
    with pytest.raises(ValueError, match=r"Test: `y_true` must be ids \(batch, length\)"):
        tokens_of(several, np.zeros((2, 4)))
    with pytest.raises(ValueError, match=r"Test: `y_pred` must be ids"):
        tokens_of(np.zeros((2, 4)), np.zeros(4))


@pytest.mark.parametrize(
    ("y_true", "y_pred", "named"),
    [
        ("a b c", "a b c", "`y_true` must be a list of sentences"),
        (["a b c"], b"a b c", "`y_pred` must be a list of sentences"),
        (["a b c"], ["a b", "x", "a"], "`y_true` must be one reference, .* each of the 3"),
        (["a b"], [["a", "b"]], "`y_true` must be sentences of the form"),
        ([["a", "b"]], [[1, 2]], "`y_true` must be sentences of the form"),
        (["a b", ["a"]], ["a b", "a"], "`y_true` must be sentences of one form"),
        (["a", "b"], [1, "b"], "`y_pred` must be sentences of one form"),
        ([["a b"]], [[[["a"]]]], "`y_pred` must be a list of sentences: strings or lists"),
    ],
)
def test_what_is_no_list_of_sentences_is_refused(y_true, y_pred, named):
    with pytest.raises(ValueError, match=f"Test: {named}"):
        tokens_of(y_true, y_pred)


def test_no_sentences():
    r, n_r, p, n_p = tokens_of([], [])
    assert (tuple(n_r.shape), tuple(n_p.shape)) == ((0, 1), (0,))
    assert (len(r.shape), len(p.shape)) == (3, 2)


def test_a_mask_of_steps_takes_tokens_out():
    y, p = np.array([[1, 2, 3]]), np.array([[1, 2, 4]])
    mask = ops.convert_to_tensor([[True, False, True]])
    r, n_r, tokens, n_p = map(backend.as_numpy, tokens_of(y, p, mask=mask))
    assert (r[0, 0, :2].tolist(), n_r.tolist()) == ([1, 3], [[2]])
    assert (tokens[0, :2].tolist(), n_p.tolist()) == ([1, 4], [2])


@pytest.mark.tensorflow
def test_tensors_of_text():
    import tensorflow as tf

    y = tf.constant(["a b c", "b"])
    for form in (y, tf.ragged.constant([["a", "b", "c"], ["b"]])):
        _, n_r, _, n_p = tokens_of(form, form)
        assert (backend.as_numpy(n_r).tolist(), backend.as_numpy(n_p).tolist()) == (
            [[3], [1]],
            [3, 1],
        )
    with pytest.raises(ValueError, match="Test: `y_true` must be token ids within a compiled step"):
        tf.function(lambda y: tokens_of(y, y)[1])(y)
