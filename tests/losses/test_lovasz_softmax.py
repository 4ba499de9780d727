import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden


def reference(p, y, classes):
    """Berman et al. for one image `(pixels, classes)`: by sets of wrong pixels, class by class."""
    each = []
    for c in range(p.shape[-1]):
        foreground = {i for i, label in enumerate(y) if label == c}
        if classes == "present" and not foreground:
            continue
        errors = [1 - q if i in foreground else q for i, q in enumerate(p[:, c])]
        total, before, wrong = 0.0, 0.0, set()
        for i in sorted(range(len(errors)), key=lambda i: -errors[i]):
            wrong.add(i)
            after = len(wrong) / len(foreground | wrong)
            total += errors[i] * (after - before)
            before = after
        each.append(total)
    return np.mean(each)


def images(rng):
    s, y = rng.normal(size=(3, 4, 5, 6)), rng.integers(0, 5, (3, 4, 5))
    y[1][y[1] == 2] = 0
    p = np.exp(s) / np.exp(s).sum(-1, keepdims=True)
    return s.astype("float32"), p, y


@pytest.mark.parametrize("classes", ["present", "all"])
def test_reference(rng, classes):
    s, p, y = images(rng)
    expected = [reference(a.reshape(-1, 6), b.ravel(), classes) for a, b in zip(p, y, strict=True)]
    each = as_numpy(losses.LovaszSoftmax(classes, from_logits=True, reduction=None)(y, s))
    np.testing.assert_allclose(each, expected, rtol=1e-5)
    first = losses.LovaszSoftmax(classes, axis=1, reduction=None)
    each = as_numpy(first(y, np.moveaxis(p, -1, 1).astype("float32")))
    np.testing.assert_allclose(each, expected, rtol=1e-5)


@pytest.mark.parametrize("classes", ["present", "all"])
def test_reference_of_the_whole_batch(rng, classes):
    s, p, y = images(rng)
    loss = losses.LovaszSoftmax(classes, per_image=False, from_logits=True)
    expected = reference(p.reshape(-1, 6), y.ravel(), classes)
    np.testing.assert_allclose(float(loss(y, s)), expected, rtol=1e-5)


@pytest.mark.parametrize("classes", ["present", "all"])
def test_golden(classes):
    peer = golden("smp_lovasz_softmax")
    settings = {"classes": classes, "from_logits": True}
    each = losses.LovaszSoftmax(**settings, reduction=None)(peer["labels"], peer["scores"])
    np.testing.assert_allclose(as_numpy(each), peer[f"{classes}_loss"], rtol=1e-5)
    total = losses.LovaszSoftmax(**settings, reduction="sum")
    _, (gradient,) = value_and_gradients(lambda s: total(peer["labels"], s), [peer["scores"]])
    np.testing.assert_allclose(gradient, peer[f"{classes}_gradient"], rtol=1e-4, atol=1e-6)


def test_a_single_class_that_is_absent():
    p, y = np.array([[[0.25], [0.5]]], "float32"), np.zeros((1, 2))
    assert float(losses.LovaszSoftmax("present")(y, p)) == 0
    assert float(losses.LovaszSoftmax("all")(y, p)) == 0.5


@pytest.mark.slow
@pytest.mark.tensorflow
def test_images_of_any_size(rng):
    import tensorflow as tf

    loss = losses.LovaszSoftmax(per_image=False, from_logits=True)
    shapes = [tf.TensorSpec([None] * 3, tf.int32), tf.TensorSpec([None, None, None, 6])]
    s, _, y = images(rng)
    of_any_size = tf.function(loss, input_signature=shapes)
    np.testing.assert_allclose(float(of_any_size(y, s)), float(loss(y, s)), rtol=1e-5)
