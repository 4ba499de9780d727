"""Rows of tensorflow-similarity and pytorch-metric-learning: losses, layers, metrics, schedules.

`tests/golden/make_similarity_rows.py` and `make_pml_rows.py` made the old results.
"""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.migrate import table
from tests.golden.load import golden
from tests.migrate.successors import successor

SIMILARITY = table.load("tensorflow_similarity").rows
PML = table.load("pytorch_metric_learning").rows
OLD, OLD_PML = golden("similarity_rows"), golden("pml_rows")


def near(got, wanted):
    np.testing.assert_allclose(ops.convert_to_numpy(got), wanted, rtol=1e-4)


def made(name, old=None, number=0):
    return successor(SIMILARITY[name], old or {}, number)


def circle(labels, x, gamma, margin, total):
    """Return the mean loss; `total` makes one number of the sums of both kinds of pairs."""
    losses = []
    for i, (label, e) in enumerate(zip(labels, x, strict=True)):
        d = [1 - e @ f for f in x]
        pairs = [(d[j], labels[j] == label) for j in range(len(x)) if j != i]
        p = [np.exp(gamma * (margin + d) * (d - margin)) for d, same in pairs if same]
        n = [
            np.exp(gamma * max(1 + margin - d, 0) * (1 - margin - d))
            for d, same in pairs
            if not same
        ]
        losses.append(total(np.sum(p), np.sum(n)))
    return np.mean(losses)


def test_circle():
    """One logarithm, as in the paper and as pytorch-metric-learning; the other library has two."""
    labels, x = OLD["labels"], OLD["x"].astype("float64")
    for key, gamma, margin in (("", 20.0, 0.3), (", default", 80.0, 0.4)):
        got = made("losses.CircleLoss", {"gamma": gamma, "margin": margin})(labels, OLD["x"])
        near(got, circle(labels, x, gamma, margin, lambda p, n: np.log1p(p * n)))
        wanted = OLD[f"CircleLoss{key}"]
        near(wanted, circle(labels, x, gamma, margin, lambda p, n: np.log1p(p) + np.log1p(n)))
        assert abs(got / wanted - 1) < (0.01 if gamma == 80 else 0.1)
        loss = successor(PML["losses.CircleLoss"], {"gamma": gamma, "m": margin})
        unit = OLD_PML["x"] / np.linalg.norm(OLD_PML["x"], axis=1, keepdims=True)
        near(loss(OLD_PML["labels"], unit), OLD_PML[f"CircleLoss{key}"])


def test_lp_regularizer():
    """The mean of squared lengths: Keras adds up, and divides by the batch as a layer's loss."""
    regularizer = successor(PML["regularizers.LpRegularizer"], {"power": 2})
    layer = keras.layers.Activation("linear", activity_regularizer=regularizer)
    layer(ops.convert_to_tensor(OLD_PML["x"]))
    near(layer.losses[0], OLD_PML["LpRegularizer"])


def test_metric_embedding():
    name = "layers.MetricEmbedding"
    dense, norm = (made(name, {"units": 4}, number) for number in (0, 1))
    dense.build(OLD["x"].shape)
    dense.set_weights([OLD["kernel"], np.zeros(4)])
    near(norm(dense(OLD["x"])), OLD["MetricEmbedding"])


def test_warmup_cosine_decay():
    old = {"max_learning_rate": 0.3, "total_steps": 20, "warmup_steps": 5, "alpha": 0.1}
    rate = made("schedules.WarmupCosineDecay", old)
    near([float(rate(step)) for step in range(24)], OLD["WarmupCosineDecay"])


def counted(metric):
    """Return what a metric gives for predictions with the counts of the old call."""
    y, p = [], []
    for right, predicted, count in ((1, 1, "tp"), (0, 1, "fp"), (0, 0, "tn"), (1, 0, "fn")):
        y += [right] * int(OLD[count])
        p += [predicted] * int(OLD[count])
    metric.update_state(np.array(y, "float32")[:, None], np.array(p, "float32")[:, None])
    return float(np.squeeze(ops.convert_to_numpy(metric.result())))


@pytest.mark.parametrize("name", ["Precision", "Recall", "F1Score"])
def test_metrics(name):
    near(counted(made(f"classification_metrics.{name}")), OLD[name])


@pytest.mark.parametrize("name", ["FalsePositiveRate", "NegativePredictiveValue"])
def test_shares(name):
    """Two metrics of Keras, the first divided by the sum of both."""
    one, other = (counted(made(f"classification_metrics.{name}", {}, i)) for i in (0, 1))
    near(one / (one + other), OLD[name])


def test_binary_accuracy():
    """The old one left out the true negatives."""
    total = sum(OLD[k] for k in ("tp", "fp", "tn", "fn"))
    near(OLD["tp"] / total, OLD["BinaryAccuracy"])
    got = counted(made("classification_metrics.BinaryAccuracy"))
    near(got, (OLD["tp"] + OLD["tn"]) / total)


def test_rows():
    """Have a test above for each row that names it."""
    rows = {
        name
        for table in (SIMILARITY, PML)
        for name, row in table.items()
        if row.test == "similarity_value"
    }
    text = Path(__file__).read_text(encoding="utf-8")
    assert rows
    assert all(name.rpartition(".")[2] in text for name in rows)
