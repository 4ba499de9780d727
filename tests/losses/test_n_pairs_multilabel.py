import numpy as np

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden
from tests.losses.test_ntxent import expect


def reference(pairs, multi_hot, factor):
    """One anchor at a time, with sets of labels; NaN for an anchor without any."""
    a, p = np.moveaxis(np.asarray(pairs, "float64"), 1, 0)
    sets = [set(np.flatnonzero(row)) for row in multi_hot]
    each = []
    for i in range(len(a)):
        scores = np.exp([a[i] @ p[j] for j in range(len(a))])
        shared = [len(sets[i] & sets[j]) for j in range(len(a))]
        terms = [-n * np.log(s / sum(scores)) for n, s in zip(shared, scores, strict=True)]
        penalty = factor * (a[i] @ a[i] + p[i] @ p[i])
        each.append(sum(terms) / sum(shared) + penalty if sets[i] else np.nan)
    return np.array(each)


def test_reference(rng):
    pairs, multi_hot = rng.normal(size=(9, 2, 4)).astype("float32"), rng.integers(0, 2, (9, 3))
    multi_hot[4] = 0
    expected = reference(pairs, multi_hot, 0.1)
    mean = as_numpy(losses.NPairsMultilabel(0.1)(multi_hot, pairs))
    np.testing.assert_allclose(mean, np.nanmean(expected), rtol=1e-4)
    each = as_numpy(losses.NPairsMultilabel(0.1, reduction=None)(multi_hot, pairs))
    labelled = np.count_nonzero(multi_hot.any(axis=1))
    np.testing.assert_allclose(each, np.nan_to_num(expected) * 9 / labelled, rtol=1e-4)


def test_golden():
    peer = golden("tfa_npairs")
    results = peer["multilabel_value"], peer["multilabel_gradient"]
    expect(losses.NPairsMultilabel(), peer["multi_hot"], peer["pairs"], *results)


def test_of_single_labels_it_is_n_pairs(rng):
    pairs, labels = rng.normal(size=(9, 2, 4)).astype("float32"), rng.integers(0, 4, 9)
    ours = as_numpy(losses.NPairsMultilabel(0.1)(np.eye(4)[labels], pairs))
    np.testing.assert_allclose(ours, as_numpy(losses.NPairs(0.1)(labels, pairs)), rtol=1e-5)


def test_no_labels_at_all(rng):
    pairs = rng.normal(size=(4, 2, 3)).astype("float32")
    loss = losses.NPairsMultilabel(0.1)
    value, (gradient,) = value_and_gradients(lambda p: loss(np.zeros((4, 5)), p), [pairs])
    assert value == 0
    assert np.all(gradient == 0)
