import numpy as np
import pytest

from kcatalog import regularizers
from kcatalog.conformance import backend
from kcatalog.conformance.backend import as_numpy, value_and_gradients

TotalVariation = regularizers.TotalVariation


def reference(w, factor, axes, isotropic):
    """The definition, place by place."""
    w, total = w.astype("float64"), 0.0
    for p in np.ndindex(w.shape):
        steps = []
        for a in axes:
            q = list(p)
            q[a] += 1
            steps.append(w[tuple(q)] - w[p] if q[a] < w.shape[a] else 0.0)
        total += np.sqrt(sum(d**2 for d in steps)) if isotropic else sum(abs(d) for d in steps)
    return factor * total


@pytest.mark.parametrize("isotropic", [False, True])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [((5,), [0]), ((4, 3), [0, 1]), ((3, 4, 2, 2), [0, 1]), ((2, 3, 4, 1), [1, 2])],
)
def test_reference(rng, shape, axes, isotropic):
    w = rng.normal(size=shape).astype("float32")
    penalty = as_numpy(TotalVariation(0.3, axes, isotropic)(w))
    np.testing.assert_allclose(penalty, reference(w, 0.3, axes, isotropic), rtol=1e-5)


@pytest.mark.skipif(backend.NAME != "tensorflow", reason="the peer is TensorFlow")
def test_images_as_in_tensorflow(rng):
    import tensorflow as tf

    images = rng.normal(size=(2, 5, 4, 3)).astype("float32")
    expected = tf.reduce_sum(tf.image.total_variation(tf.constant(images))).numpy()
    np.testing.assert_allclose(as_numpy(TotalVariation(1.0, [1, 2])(images)), expected, rtol=1e-5)


@pytest.mark.parametrize("isotropic", [False, True])
def test_a_constant_pays_nothing_and_a_slope_as_much_as_a_jump(isotropic):
    penalty = TotalVariation(1.0, 0, isotropic)
    value, (gradient,) = value_and_gradients(penalty, [np.full((4, 3), 7.0, "float32")])
    assert value == 0
    assert not gradient.any()
    slope, jump = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 0.0, 3.0, 3.0])
    for w in (slope, jump):
        np.testing.assert_allclose(as_numpy(penalty(w.astype("float32"))), 3.0, rtol=1e-6)


def test_only_isotropic_does_not_favour_edges_along_the_axes():
    """A diagonal edge of one length: 2 n steps by the sum, √2 n by Euclidean length."""
    edge = np.fliplr(np.tril(np.ones((20, 20), "float32"))).copy()
    sums, lengths = (as_numpy(TotalVariation(1.0, isotropic=i)(edge)) for i in (False, True))
    np.testing.assert_allclose(sums / lengths, 2**0.5, rtol=1e-5)


def test_no_such_axes():
    with pytest.raises(ValueError, match=r"TotalVariation: `axes` must be .* shape \(3,\)"):
        TotalVariation()(np.ones((3,), "float32"))
