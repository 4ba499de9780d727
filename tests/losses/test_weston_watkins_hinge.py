import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden


def reference(s, y, margin):
    """Weston and Watkins's slacks, one sample and one competitor at a time."""
    return [
        sum(max(0.0, margin + v - row[label]) for j, v in enumerate(row) if j != label)
        for row, label in zip(s.astype("float64"), y, strict=True)
    ]


@pytest.mark.parametrize(("classes", "margin"), [(2, 0.5), (10_000, 2)])
def test_reference(rng, classes, margin):
    s, y = rng.normal(size=(6, classes)).astype("float32"), rng.integers(0, classes, 6)
    each = as_numpy(losses.WestonWatkinsHinge(margin, reduction=None)(y, s))
    np.testing.assert_allclose(each, reference(s, y, margin), rtol=1e-5, atol=1e-6)


def test_golden():
    peer = golden("torch_multi_margin")
    settings = {"margin": float(peer["margin"])}
    each = losses.WestonWatkinsHinge(**settings, reduction=None)(peer["labels"], peer["scores"])
    classes = peer["scores"].shape[-1]  # the peer divides by it
    np.testing.assert_allclose(as_numpy(each) / classes, peer["loss"], rtol=1e-5, atol=1e-6)
    total = losses.WestonWatkinsHinge(**settings, reduction="sum")
    _, (gradient,) = value_and_gradients(lambda s: total(peer["labels"], s), [peer["scores"]])
    np.testing.assert_allclose(gradient / classes, peer["gradient"], atol=1e-6)


def test_one_competitor_is_crammer_and_singer(rng):
    s, y = rng.normal(size=(6, 2)).astype("float32"), rng.integers(0, 2, 6)
    a, b = losses.WestonWatkinsHinge(0.7)(y, s), losses.CrammerSingerHinge(0.7)(y, s)
    np.testing.assert_allclose(as_numpy(a), as_numpy(b), rtol=1e-6)


def test_a_single_class_has_no_competitor():
    each = losses.WestonWatkinsHinge(reduction=None)(np.zeros(2), np.array([[3.0], [-3.0]]))
    np.testing.assert_array_equal(as_numpy(each), [0, 0])
