import numpy as np
import pytest
from keras import ops

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden
from tests.losses.triplets import distance


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("name", ["euclidean", "squared_euclidean", "cosine"])
def test_reference(rng, name, swap):
    x = rng.normal(size=(9, 3, 5)).astype("float32")
    expected = []
    for a, p, n in x.astype("float64"):
        d_n = min(distance(a, n, name), distance(p, n, name)) if swap else distance(a, n, name)
        expected.append(max(0.0, 0.7 + distance(a, p, name) - d_n))
    loss = losses.TripletMargin(0.7, swap, name, reduction=None)
    np.testing.assert_allclose(as_numpy(loss(np.zeros(9), x)), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("swap", [False, True])
def test_golden_torch(swap):
    peer = golden("torch_triplet_margin")
    loss = losses.TripletMargin(float(peer["margin"]), swap)
    value, (gradient,) = value_and_gradients(lambda x: loss(np.zeros(12), x), [peer["x"]])
    np.testing.assert_allclose(value, peer["value"][int(swap)], rtol=1e-5)
    np.testing.assert_allclose(gradient, peer["gradient"][int(swap)], rtol=1e-4, atol=1e-6)


def test_two_of_three_is_an_error():
    with pytest.raises(ValueError, match=r"TripletMargin: `y_pred` must be of shape .*\(4, 2, 8\)"):
        losses.TripletMargin()(ops.zeros((4,)), ops.zeros((4, 2, 8)))
