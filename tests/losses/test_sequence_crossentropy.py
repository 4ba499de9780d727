import keras
import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden

Loss = losses.SequenceCrossentropy


def reference(s, y, ignore, label_smoothing=0.0):
    """Cross-entropy of each step by loops, and its mean over the steps that count."""
    each, counted = np.zeros(y.shape), []
    for place in np.ndindex(y.shape):
        if y[place] != ignore:
            scores = s[place].astype("float64")
            log_p = scores - np.log(sum(np.exp(scores)))
            right = (1 - label_smoothing) * log_p[y[place]]
            each[place] = -right - label_smoothing * sum(log_p) / len(log_p)
            counted.append(each[place])
    return each, sum(counted) / max(1, len(counted))


@pytest.fixture
def batch(rng):
    """Logits, and labels padded with -1: lengths 4, 2, 1 and none."""
    s, y = rng.normal(size=(4, 4, 5)).astype("float32"), rng.integers(0, 5, (4, 4))
    y[np.arange(4) >= np.array([[4], [2], [1], [0]])] = -1
    return s, y


def in_a_layer(s, mask):
    """`s` as a layer hands it on together with a Keras mask."""

    class Masks(keras.layers.Layer):
        def call(self, x):
            return x

        def compute_mask(self, x, previous_mask=None):
            return keras.ops.convert_to_tensor(mask)

    return Masks()(s)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("ignore", [-1, 3])
def test_reference(batch, label_smoothing, from_logits, ignore):
    s, y = batch
    y = np.where(y == -1, ignore, y)
    each, mean = reference(s, y, ignore, label_smoothing)
    y_pred = s if from_logits else np.exp(s)
    one_hot = np.eye(5)[y] * (y >= 0)[..., None]
    for y_true in (y, y[..., None], one_hot):
        found = Loss(from_logits, label_smoothing, ignore, reduction=None)(y_true, y_pred)
        np.testing.assert_allclose(as_numpy(found), each, rtol=1e-4, atol=1e-6)
        found = Loss(from_logits, label_smoothing, ignore)(y_true, y_pred)
        np.testing.assert_allclose(as_numpy(found), mean, rtol=1e-5)


def test_golden_mask():
    peer = golden("tfa_sequence")
    y, mask = np.where(peer["mask"], peer["labels"], -1), peer["mask"]
    loss, total = Loss(True, ignore_class=-1), Loss(True, ignore_class=-1, reduction="sum")
    value, (gradient,) = value_and_gradients(lambda s: loss(y, s), [peer["logits"]])
    np.testing.assert_allclose(value, peer["mask_all"], rtol=1e-5)
    np.testing.assert_allclose(gradient, peer["mask_all_gradient"], rtol=1e-5, atol=1e-7)
    # each sequence's mean: weights of one over its length
    length = np.maximum(mask.sum(1), 1)
    each = as_numpy(Loss(True, ignore_class=-1, reduction=None)(y, peer["logits"]))
    np.testing.assert_allclose(each.sum(1) / length, peer["mask_each_sequence"], rtol=1e-5)
    np.testing.assert_allclose(each.sum(0) / mask.sum(0), peer["mask_each_step"], rtol=1e-5)
    _, (gradient,) = value_and_gradients(
        lambda s: total(y, s, sample_weight=1 / length), [peer["logits"]]
    )
    expected = peer["mask_each_sequence_gradient"]
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6)


def test_golden_weights():
    peer = golden("tfa_sequence")
    loss = Loss(True, reduction="mean_with_sample_weight")
    value, (gradient,) = value_and_gradients(
        lambda s: loss(peer["labels"], s, sample_weight=peer["weights"]), [peer["logits"]]
    )
    np.testing.assert_allclose(value, peer["weights_all"], rtol=1e-5)
    np.testing.assert_allclose(gradient, peer["weights_all_gradient"], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_keras_mask_and_ignored_class_are_joined(batch, dtype):
    s, y = batch
    s = s.astype(dtype).astype("float32")
    mask = np.array([[True, True, True, False]] * 4)
    both = np.where(mask, y, -1)
    each, mean = reference(s, both, -1)
    loss = Loss(True, ignore_class=-1)
    y_pred = in_a_layer(keras.ops.cast(s, dtype), mask)
    np.testing.assert_allclose(as_numpy(loss(y, y_pred)), mean, rtol=1e-3)
    # weights multiply and leave the divisor alone
    weights = np.array([1.0, 2.0, 0.0, 3.0], "float32")
    weighted = as_numpy(loss(y, y_pred, sample_weight=weights))
    expected = (each * weights[:, None]).sum() / (both >= 0).sum()
    np.testing.assert_allclose(weighted, expected, rtol=1e-3)


def test_keras_mask_alone(batch):
    s, y = batch
    mask = y >= 0
    _, mean = reference(s, y, -1)
    found = Loss(True)(np.where(mask, y, 0), in_a_layer(keras.ops.convert_to_tensor(s), mask))
    np.testing.assert_allclose(as_numpy(found), mean, rtol=1e-5)


def test_nothing_counts(batch):
    s, _ = batch
    y = np.full((4, 4), -1)
    value, (gradient,) = value_and_gradients(lambda s: Loss(True, ignore_class=-1)(y, s), [s])
    assert value == 0
    np.testing.assert_array_equal(gradient, np.zeros_like(s))


def test_more_padding_changes_nothing(batch):
    s, y = batch
    longer = np.concatenate([s, 1e4 * np.sign(s)], axis=1)
    padded = np.concatenate([y, np.full_like(y, -1)], axis=1)
    loss = Loss(True, ignore_class=-1)
    np.testing.assert_allclose(as_numpy(loss(padded, longer)), as_numpy(loss(y, s)), rtol=1e-6)


def test_masked_model(rng):
    x = np.array([[3, 1, 2, 0], [2, 0, 0, 0], [1, 1, 3, 2]])
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Embedding(4, 3, mask_zero=True), keras.layers.Dense(5)]
    )
    model.compile("sgd", Loss(True))
    y = rng.integers(0, 5, x.shape)
    _, expected = reference(model.predict(x, verbose=0), np.where(x, y, -1), -1)
    np.testing.assert_allclose(model.evaluate(x, y, verbose=0), expected, rtol=1e-5)
