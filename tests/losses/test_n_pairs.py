import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden
from tests.losses.test_ntxent import expect


def reference(pairs, factor=0.0):
    """Sohn's equation, one anchor at a time; every pair of a class of its own."""
    a, p = np.moveaxis(np.asarray(pairs, "float64"), 1, 0)
    return [
        np.log(1 + sum(np.exp(a[i] @ p[j] - a[i] @ p[i]) for j in range(len(a)) if j != i))
        + factor * (a[i] @ a[i] + p[i] @ p[i])
        for i in range(len(a))
    ]


@pytest.mark.parametrize("factor", [0.0, 0.1])
def test_reference(rng, factor):
    pairs = rng.normal(size=(9, 2, 4)).astype("float32")
    loss = losses.NPairs(factor, reduction=None)
    each = as_numpy(loss(rng.permutation(9), pairs))
    np.testing.assert_allclose(each, reference(pairs, factor), rtol=1e-4)


def test_golden_tensorflow_addons():
    peer = golden("tfa_npairs")
    for i, labels in enumerate(peer["labels"]):
        expect(losses.NPairs(), labels, peer["pairs"], peer["value"][i], peer["gradient"][i])


def test_golden_pytorch_metric_learning():
    peer = golden("pml_n_pairs")
    expect(losses.NPairs(), np.arange(6), peer["pairs"], peer["value"], peer["gradient"])


def test_long_embeddings(rng):
    pairs = (1e4 * rng.normal(size=(4, 2, 8))).astype("float32")
    value, (gradient,) = value_and_gradients(lambda p: losses.NPairs()(np.arange(4), p), [pairs])
    np.testing.assert_allclose(
        value,
        np.mean([max(0, *(a @ pairs[:, 1].T - a @ p)) for a, p in pairs.astype("float64")]),
        rtol=1e-3,
    )
    assert np.all(np.isfinite(gradient))
