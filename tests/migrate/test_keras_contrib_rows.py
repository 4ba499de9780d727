"""keras-contrib's rows, against loops written from the formulas in its documentation and source.

The package is not installable any more.
"""

import itertools
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import kcatalog
from kcatalog.migrate import table
from tests.migrate.successors import successor

pytestmark = [pytest.mark.once, pytest.mark.tensorflow]
ROWS = table.load("keras_contrib").rows


def made(name, old=None, number=0):
    return successor(ROWS[name], old or {}, number)


def near(got, wanted, rtol=1e-4):
    np.testing.assert_allclose(ops.convert_to_numpy(got), wanted, rtol=rtol, atol=1e-5)


def test_group_normalization(rng):
    x = rng.normal(size=(2, 3, 4, 6)).astype("float32")
    layer = made("layers.GroupNormalization", {"groups": 3})
    wanted = np.empty_like(x)
    for n, group in itertools.product(range(2), range(3)):
        part = x[n, ..., 2 * group : 2 * group + 2]
        wanted[n, ..., 2 * group : 2 * group + 2] = (part - part.mean()) / np.sqrt(
            part.var() + 1e-5
        )
    near(layer(x), wanted)


@pytest.mark.parametrize(("axis", "number"), [(-1, 0), (None, 1)])
def test_instance_normalization(rng, axis, number):
    """The old one added epsilon to the deviation, not to the variance: the same for large ones."""
    x = rng.normal(size=(2, 3, 4, 2)).astype("float32")
    axes = (1, 2) if axis else (1, 2, 3)

    def old(x):
        return (x - x.mean(axes, keepdims=True)) / (x.std(axes, keepdims=True) + 1e-3)

    layer = made("layers.InstanceNormalization", number=number)
    near(layer(100 * x), old(100 * x))
    mine, theirs = (np.std(ops.convert_to_numpy(y)) for y in (layer(0.03 * x), old(0.03 * x)))
    np.testing.assert_allclose(theirs / mine, 1.38, rtol=0.15)


def test_swish(rng):
    x = rng.normal(size=(2, 3)).astype("float32")
    near(made("layers.Swish")(x), x / (1 + np.exp(-x)))


# --- tags -------------------------------------------------------------------------------


def paths(potentials, transitions, start, end):
    """Return every sequence of tags of one sample, with its probability."""
    steps, tags = potentials.shape
    every = list(itertools.product(range(tags), repeat=steps))
    scores = [
        start[path[0]]
        + end[path[-1]]
        + sum(potentials[t, k] for t, k in enumerate(path))
        + sum(transitions[a, b] for a, b in itertools.pairwise(path))
        for path in every
    ]
    p = np.exp(np.array(scores) - max(scores))
    return np.array(every), p / p.sum()


def test_accuracies_of_crf(rng):
    """Right tags of the most probable sequence, or of the most probable tag of each step."""
    x, tags = rng.normal(size=(5, 4, 3)).astype("float32"), rng.integers(0, 3, (5, 4))
    layer = kcatalog.layers.CRF(3, use_kernel=False)
    model = keras.Sequential([keras.Input((4, 3)), layer])
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    weights = {w.name: ops.convert_to_numpy(w) for w in layer.weights}
    each = [
        paths(u, *(weights[k] for k in ("chain_kernel", "left_boundary", "right_boundary")))
        for u in x
    ]
    best = np.array([every[p.argmax()] for every, p in each])
    likely = np.array(
        [
            [np.argmax([p[every[:, t] == k].sum() for k in range(3)]) for t in range(4)]
            for every, p in each
        ]
    )
    model.compile(loss=kcatalog.losses.CRFCrossentropy(), metrics=["accuracy"])
    for name in ("metrics.crf_accuracy", "metrics.crf_viterbi_accuracy"):
        assert 'metrics=["accuracy"]' in ROWS[name].hint
    near(model.evaluate(x, tags, verbose=0)[1], (best == tags).mean())
    marginals = ops.convert_to_numpy(layer(x, marginals=True))
    np.testing.assert_array_equal(marginals.argmax(-1), likely)
    metric = made("metrics.crf_marginal_accuracy")
    metric.update_state(tags, marginals)
    near(metric.result(), (likely == tags).mean())


# --- callbacks --------------------------------------------------------------------------


def test_snapshot_rate():
    """The rate of each epoch's first step; the old callback kept it for the whole epoch."""
    steps, old = 10, {"nb_epochs": 12, "nb_snapshots": 3, "init_lr": 0.2}
    rate = made("callbacks.SnapshotCallbackBuilder", old | {"steps": steps})
    for epoch in range(12):
        wanted = 0.2 / 2 * (np.cos(np.pi * (epoch % 4) / 4) + 1)
        near(float(rate(epoch * steps)), wanted)


def fitted(tmp_path, *callbacks, **options):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((8, 2), "float32")
    model.fit(x, x[:, :1], batch_size=4, verbose=0, callbacks=list(callbacks), **options)


def test_snapshot_checkpoint(tmp_path):
    """Weights at the end of each cycle of two epochs."""
    old = {"nb_epochs": 6, "nb_snapshots": 3, "fn_prefix": str(tmp_path / "Model")}
    callback = made("callbacks.SnapshotModelCheckpoint", old | {"steps": 2})
    fitted(tmp_path, callback, epochs=6)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"Model-{epoch:02d}.weights.h5" for epoch in (2, 4, 6)]


def test_tensorboard(tmp_path):
    """Training and validation have a folder each, which TensorBoard draws into one plot."""
    callback = made("callbacks.TensorBoardGrouped", {"log_dir": str(tmp_path)})
    fitted(tmp_path, callback, validation_split=0.5)
    assert {path.name for path in tmp_path.iterdir()} == {"train", "validation"}


def test_rows():
    """Have a test above for each row that names it."""
    rows = {name for name, row in ROWS.items() if row.test == "contrib_value"}
    text = Path(__file__).read_text(encoding="utf-8")
    assert all(name.rpartition(".")[2] in text for name in rows)
