import keras
import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden

Loss = losses.JensenShannonConsistency


def reference(p, y, alpha, label_smoothing=0.0):
    """Cross-entropy of the first view plus the mean divergence from the mixture, by loops."""
    each = []
    for views, label in zip(p.astype("float64"), y, strict=True):
        M = sum(views) / len(views)
        classes = len(M)
        q = [
            (1 - label_smoothing) * (c == label) + label_smoothing / classes for c in range(classes)
        ]
        H = -sum(q[c] * np.log(views[0][c]) for c in range(classes))
        KL = [sum(v[c] * np.log(v[c] / M[c]) for c in range(classes)) for v in views]
        each.append(H + alpha * sum(KL) / len(views))
    return each


@pytest.mark.parametrize(("views", "alpha", "label_smoothing"), [(3, 12.0, 0.0), (2, 0.5, 0.2)])
def test_reference(rng, views, alpha, label_smoothing):
    s, y = rng.normal(size=(6, views, 4)).astype("float32"), rng.integers(0, 4, 6)
    p = np.exp(s) / np.exp(s).sum(-1, keepdims=True)
    expected = reference(p, y, alpha, label_smoothing)
    for from_logits, y_pred in ((True, s), (False, p)):
        for y_true in (y, np.eye(4)[y]):
            loss = Loss(alpha, from_logits, label_smoothing, reduction=None)
            np.testing.assert_allclose(as_numpy(loss(y_true, y_pred)), expected, rtol=1e-4)


@pytest.mark.parametrize(("name", "label_smoothing"), [("plain", 0.0), ("smooth", 0.1)])
def test_golden(name, label_smoothing):
    peer = golden("timm_jsd")
    loss = Loss(12.0, True, label_smoothing)
    views_second = np.moveaxis(peer["logits"], 0, 1)
    value, (gradient,) = value_and_gradients(lambda s: loss(peer["labels"], s), [views_second])
    np.testing.assert_allclose(value, peer[f"{name}_loss"], rtol=1e-5)
    expected = np.moveaxis(peer[f"{name}_gradient"], 0, 1)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6)


def test_a_single_view_is_crossentropy(rng):
    s, y = rng.normal(size=(5, 1, 4)).astype("float32"), rng.integers(0, 4, 5)
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(y, s[:, 0])
    np.testing.assert_allclose(as_numpy(Loss(from_logits=True)(y, s)), as_numpy(theirs), rtol=1e-5)


def test_views_that_contradict_each_other():
    s = 1e4 * np.array([[[1.0, -1.0], [-1.0, 1.0]]], "float32")
    value, (gradient,) = value_and_gradients(lambda s: Loss(1.0, True)([0], s), [s])
    np.testing.assert_allclose(value, np.log(2), rtol=1e-5)
    assert np.all(np.isfinite(gradient))


def test_one_loss_for_each_pixel(rng):
    s, y = rng.normal(size=(2, 3, 4, 5)).astype("float32"), rng.integers(0, 5, (2, 4))
    each = as_numpy(Loss(from_logits=True, reduction=None)(y, s))
    for pixel in range(4):
        one = as_numpy(Loss(from_logits=True, reduction=None)(y[:, pixel], s[:, :, pixel]))
        np.testing.assert_allclose(each[:, pixel], one, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_any_number_of_views(rng):
    import tensorflow as tf

    s, y = rng.normal(size=(4, 3, 5)).astype("float32"), rng.integers(0, 5, 4)
    loss = Loss(from_logits=True)
    shapes = [tf.TensorSpec([None], tf.int64), tf.TensorSpec([None, None, 5])]
    of_any_number = tf.function(loss, input_signature=shapes)
    np.testing.assert_allclose(as_numpy(of_any_number(y, s)), as_numpy(loss(y, s)), rtol=1e-5)


def test_views_are_missing():
    with pytest.raises(ValueError, match="JensenShannonConsistency: `y_pred` must be of shape"):
        Loss()([0, 1], np.ones((2, 5), "float32"))
