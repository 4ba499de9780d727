import numpy as np
from keras import ops

from kcatalog import layers
from kcatalog.conformance.backend import value_and_gradients
from tests.golden.load import golden


def test_reference(rng):
    """Equation 4 of Arandjelović et al., one step and one cluster at a time."""
    x = rng.normal(size=(3, 5, 4)).astype("float32")
    mask = np.array([[1, 1, 1, 1, 1], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], "bool")
    layer = layers.NetVLAD(2)
    layer.build(x.shape)
    W, b, c = weights = [rng.normal(size=w.shape).astype("float32") for w in layer.weights]
    layer.set_weights(weights)
    y = ops.convert_to_numpy(layer(x, mask=mask))
    for n in range(2):
        V = np.zeros((4, 2))
        for t in np.nonzero(mask[n])[0]:
            a = np.exp(x[n, t] @ W + b)
            for k in range(2):
                V[:, k] += a[k] / a.sum() * (x[n, t] - c[:, k])
        V /= np.linalg.norm(V, axis=0)
        np.testing.assert_allclose(y[n], V.ravel() / np.linalg.norm(V), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(y[2], 0)


def test_golden():
    peer = {k.split("/")[1]: a for k, a in golden("tfa_pooling").items() if k.startswith("vlad/")}
    layer = layers.NetVLAD(3)
    layer.build(peer["x0"].shape)

    def output(x, W, b, c):
        return layer.stateless_call([W, b, ops.reshape(c, (4, 3))], [], ops.convert_to_tensor(x))[0]

    arrays = [peer[f"x{i}"] for i in range(4)]
    y = ops.convert_to_numpy(output(*map(ops.convert_to_tensor, arrays)))
    np.testing.assert_allclose(y, peer["output"], rtol=1e-4, atol=1e-5)

    def total(*arrays):
        return ops.sum(ops.multiply(output(*arrays), peer["cotangent"]))

    _, gradients = value_and_gradients(total, arrays)
    for i, g in enumerate(gradients):
        np.testing.assert_allclose(g, peer[f"gradient{i}"], rtol=1e-3, atol=1e-4)
