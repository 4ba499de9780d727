import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden


def reference(s, y, margin):
    """Crammer and Singer's equation, one sample at a time."""
    return [
        max(0.0, margin + max(v for j, v in enumerate(row) if j != label) - row[label])
        for row, label in zip(s.astype("float64"), y, strict=True)
    ]


@pytest.mark.parametrize("classes", [2, 10_000])
@pytest.mark.parametrize("margin", [0.5, 3])
def test_reference(rng, classes, margin):
    s, y = rng.normal(size=(6, classes)).astype("float32"), rng.integers(0, classes, 6)
    loss = losses.CrammerSingerHinge(margin, reduction="none")
    np.testing.assert_allclose(as_numpy(loss(y, s)), reference(s, y, margin), rtol=1e-5, atol=1e-6)


def test_golden():
    peer = golden("optax_multiclass_hinge")
    each = losses.CrammerSingerHinge(reduction=None)
    np.testing.assert_allclose(
        as_numpy(each(peer["labels"], peer["scores"])), peer["loss"], rtol=1e-5, atol=1e-6
    )
    total = losses.CrammerSingerHinge(reduction="sum")
    _, (gradient,) = value_and_gradients(lambda s: total(peer["labels"], s), [peer["scores"]])
    np.testing.assert_allclose(gradient, peer["gradient"], atol=1e-6)


def test_a_single_class_and_saturated_scores():
    for s in (np.array([[3.0]]), np.array([[1e4, -1e4]]), np.array([[-1e4, 1e4]])):
        value, (gradient,) = value_and_gradients(
            lambda s: losses.CrammerSingerHinge()(np.array([0]), s), [s.astype("float32")]
        )
        assert value == (0 if s[0, 0] > 0 else 20_001)
        assert np.all(np.isfinite(gradient))


def test_one_loss_for_each_pixel(rng):
    s, y = rng.normal(size=(2, 3, 4, 5)).astype("float32"), rng.integers(0, 5, (2, 3, 4))
    each = as_numpy(losses.CrammerSingerHinge(reduction=None)(y, s))
    expected = np.reshape(reference(s.reshape(-1, 5), y.ravel(), 1.0), (2, 3, 4))
    np.testing.assert_allclose(each, expected, rtol=1e-5, atol=1e-6)


def test_fit(rng):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    model.compile("sgd", losses.CrammerSingerHinge())
    x, y = rng.normal(size=(12, 5)), rng.integers(0, 3, 12)
    history = model.fit(x, y, epochs=3, verbose=0, sample_weight=np.ones(12)).history["loss"]
    assert history[-1] < history[0]
    assert ops.shape(model.predict(x, verbose=0)) == (12, 3)
