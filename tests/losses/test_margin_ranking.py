import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden


def reference(s, y, margin):
    """The slack of each pair, with the winner named by its place."""
    each = []
    for (first, second), sign in zip(s.astype("float64"), y, strict=True):
        lead = first - second if sign == 1 else second - first
        each.append(max(0.0, margin - lead))
    return each


@pytest.mark.parametrize("margin", [0, 1.5])
def test_reference(rng, margin):
    s, y = rng.normal(size=(20, 2)).astype("float32"), rng.integers(0, 2, 20)
    loss = losses.MarginRanking(margin, reduction=None)
    for labels in (y, y[:, None], 2 * y - 1):
        each = as_numpy(loss(labels, s))
        np.testing.assert_allclose(each, reference(s, y, margin), rtol=1e-5, atol=1e-6)


def test_golden():
    peer = golden("torch_margin_ranking")
    settings = {"margin": float(peer["margin"])}
    each = losses.MarginRanking(**settings, reduction=None)(peer["signs"], peer["scores"])
    np.testing.assert_allclose(as_numpy(each), peer["loss"], rtol=1e-5, atol=1e-6)
    total = losses.MarginRanking(**settings, reduction="sum")
    _, (gradient,) = value_and_gradients(lambda s: total(peer["signs"], s), [peer["scores"]])
    np.testing.assert_allclose(gradient, peer["gradient"], atol=1e-6)


def test_what_is_no_pair_is_refused():
    with pytest.raises(ValueError, match=r"MarginRanking: `y_pred` must be pairs .*stack"):
        losses.MarginRanking()(np.ones(4), np.ones((4, 3)))
