import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden


def reference(a, b, K, m, s1, s2, pad):
    """Equation 1, one product at a time, for a patch around each output pixel."""
    a, b = (np.pad(x, ((pad, pad), (pad, pad), (0, 0))) for x in (a, b))
    border, steps = m + K // 2, range(-(m // s2), m // s2 + 1)
    rows, columns = (range(border, n - border, s1) for n in a.shape[:2])
    cost = np.zeros((len(rows), len(columns), len(steps) ** 2))
    patch = range(-(K // 2), K // 2 + 1)
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            for d, (i, j) in enumerate((i * s2, j * s2) for i in steps for j in steps):
                for o in patch:
                    for q in patch:
                        one = a[row + o, column + q]
                        other = b[row + o + i, column + q + j]
                        cost[y, x, d] += one @ other / (K * K * len(one))
    return cost


@pytest.mark.parametrize("arguments", [(1, 2, 1, 1, 2), (3, 2, 2, 2, 3), (3, 1, 2, 1, 0)])
def test_reference(rng, arguments):
    a, b = rng.normal(size=(2, 1, 7, 6, 3)).astype("float32")
    cost = as_numpy(layers.CorrelationCost(*arguments)([a, b]))
    np.testing.assert_allclose(cost[0], reference(a[0], b[0], *arguments), atol=1e-5)


PEER = golden("tfa_correlation")


@pytest.mark.parametrize("name", ["pixels", "patches"])
def test_golden(name):
    layer = layers.CorrelationCost(*(int(n) for n in PEER[name]))
    a, b, cotangent = PEER["a"], PEER["b"], PEER[f"{name}_cotangent"]
    np.testing.assert_allclose(as_numpy(layer([a, b])), PEER[f"{name}_cost"], atol=1e-5)
    _, gradients = value_and_gradients(
        lambda a, b: ops.sum(ops.multiply(layer([a, b]), cotangent)), [a, b]
    )
    np.testing.assert_allclose(gradients[0], PEER[f"{name}_a_gradient"], atol=1e-5)
    np.testing.assert_allclose(gradients[1], PEER[f"{name}_b_gradient"], atol=1e-5)
