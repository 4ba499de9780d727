import itertools

import numpy as np
import pytest
from keras import ops

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy
from kcatalog.ops import crf_scores
from kcatalog.ops.masks import with_mask


def negative_log_likelihood(u, A, start, end, y):
    """Equation 1 of Lafferty et al. over all sequences; of no step at all it is 0."""

    def score(y):
        s = sum(u[t, k] for t, k in enumerate(y)) + sum(A[i, j] for i, j in itertools.pairwise(y))
        return s + (start[y[0]] + end[y[-1]] if len(y) else 0.0)

    Z = sum(np.exp(score(y)) for y in itertools.product(range(u.shape[1]), repeat=len(y)))
    return np.log(Z) - score(y)


@pytest.mark.parametrize("way", ["none", "mask", "ignore_class"])
def test_reference(way, rng):
    u, A = rng.normal(size=(3, 4, 3)).astype("float32"), rng.normal(size=(3, 3))
    start, end = rng.normal(size=(2, 3))
    y = rng.integers(0, 3, (3, 4))
    kept = np.ones((3, 4), bool)
    scores = crf_scores.pack(u, A, start, end)
    loss = losses.CRFCrossentropy(reduction=None)
    if way != "none":
        kept = np.array([[1, 1, 1, 0], [0, 1, 0, 1], [0, 0, 0, 0]], bool)
    expected = [
        negative_log_likelihood(u[b, kept[b]], A, start, end, y[b, kept[b]]) for b in range(3)
    ]
    if way == "mask":
        scores = with_mask(scores, ops.convert_to_tensor(kept))
    elif way == "ignore_class":
        loss = losses.CRFCrossentropy(ignore_class=-1, reduction=None)
        y = np.where(kept, y, -1)
    np.testing.assert_allclose(as_numpy(loss(y, scores)), expected, rtol=1e-4, atol=1e-5)
    loss.reduction = "sum_over_batch_size"
    mean = np.sum(expected) / kept.any(1).sum()
    np.testing.assert_allclose(as_numpy(loss(y, scores)), mean, rtol=1e-4)
