import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden
from tests.losses.test_ntxent import expect
from tests.losses.test_triplet_semi_hard import DISTANCES, distance


def reference(x, labels, pos_margin, neg_margin, name, power):
    """One anchor at a time; NaN for an anchor without any pair."""
    x, each = np.asarray(x, "float64"), []
    for a in range(len(x)):
        pull, push = [], []
        for i in range(len(x)):
            d = distance(x[a], x[i], name)
            if labels[i] != labels[a]:
                push.append(max(0.0, neg_margin - d) ** power)
            elif i != a:
                pull.append(max(0.0, d - pos_margin) ** power)
        means = [np.mean(values) if values else 0.0 for values in (pull, push)]
        each.append(sum(means) if pull or push else np.nan)
    return each


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("classes", [1, 3, 12])
def test_reference(rng, name, squared, classes):
    x, labels = rng.normal(size=(12, 4)).astype("float32"), rng.integers(0, classes, 12)
    loss = losses.InBatchContrastive(0.2, 1.1, name, squared=squared, reduction=None)
    expected = reference(x, labels, 0.2, 1.1, name, 1 + squared)
    np.testing.assert_allclose(as_numpy(loss(labels, x)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["plain", "normalized"])
def test_golden(name):
    peer = golden("pml_contrastive")
    loss = losses.InBatchContrastive(
        float(peer["pos_margin"]),
        float(peer["neg_margin"]),
        normalize=name == "normalized",
        squared=False,
    )
    expect(loss, peer["labels"], peer["x"], peer[f"{name}_value"], peer[f"{name}_gradient"])


def test_no_pair_and_duplicates():
    loss = losses.InBatchContrastive()
    for x, value in ((np.ones((1, 3)), 0), (np.ones((4, 3)), 1)):  # negatives at one point cost 1
        labels = np.arange(len(x)) % 2
        loss_of_x, (gradient,) = value_and_gradients(
            lambda x, y=labels: loss(y, x), [x.astype("float32")]
        )
        assert loss_of_x == value
        assert np.all(gradient == 0)
