import numpy as np
import pytest
from keras import ops

from kcatalog.ops import sampling


def kept(z):
    return ops.convert_to_numpy(z) > sampling.NEVER


def test_top_k_with_ties():
    """Exactly k, also of equal logits; more than there are keeps all."""
    z = ops.convert_to_tensor([[1.0, 1.0, 1.0, 0.0], [3.0, 1.0, 2.0, 2.0]])
    assert kept(sampling.keep_top_k(z, 2)).sum(axis=1).tolist() == [2, 2]
    assert kept(sampling.keep_top_k(z, 9)).all()


@pytest.mark.parametrize("p", [0.05, 0.3, 0.5, 0.9, 1.0])
def test_reference_top_p(rng, p):
    z = rng.normal(size=(5, 7)).astype("float32")
    found = kept(sampling.keep_top_p(ops.convert_to_tensor(z), p))
    for row, mask in zip(z, found, strict=True):
        each, wanted, total = np.exp(row) / np.exp(row).sum(), np.zeros(7, bool), 0.0
        for i in np.argsort(-each):
            if total < p:
                wanted[i] = True
            total += each[i]
        assert mask.tolist() == wanted.tolist()


def test_draws_have_the_probabilities():
    probabilities = np.array([0.1, 0.0, 0.6, 0.3])
    z = np.log(np.maximum(probabilities, 1e-30)).astype("float32")
    u = (np.arange(1000) + 0.5) / 1000
    ids = sampling.draw(ops.convert_to_tensor(np.tile(z, (1000, 1))), ops.convert_to_tensor(u))
    counts = np.bincount(ops.convert_to_numpy(ids), minlength=4)
    np.testing.assert_allclose(counts, 1000 * probabilities, atol=1)
