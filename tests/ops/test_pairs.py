import numpy as np
from keras import ops

from kcatalog.conformance.backend import as_numpy
from kcatalog.ops.pairs import log_odds_of_negatives


def test_log_odds_are_those_of_the_softmax_without_the_anchor(rng):
    s, labels = rng.normal(size=(7, 7)), np.array([0, 1, 0, 1, 1, 2, 0])
    tensors = ops.convert_to_tensor(s[:4]), ops.convert_to_tensor(labels)
    z, positives = log_odds_of_negatives(*tensors, anchors=4)
    for a in range(4):
        e = np.exp(s[a]) * (np.arange(7) != a)
        p = e[labels == labels[a]].sum() / e.sum()
        np.testing.assert_allclose(as_numpy(z)[a], np.log((1 - p) / p), rtol=1e-5, atol=1e-6)
    assert as_numpy(positives).tolist() == [True] * 4


def test_without_positives_or_negatives_it_stays_a_number():
    for labels, z_sign, positives in (([0, 0, 0], -1, True), ([0, 1, 2], 1, False)):
        z, found = log_odds_of_negatives(ops.zeros((3, 3)), ops.convert_to_tensor(labels))
        assert np.all(np.isfinite(as_numpy(z)))
        assert np.all(np.sign(as_numpy(z)) == z_sign)
        assert as_numpy(found).tolist() == [positives] * 3
