"""Comparison of a layer with a peer's whose weights and gradients are stored by their names."""

import numpy as np
from keras import ops

from kcatalog.conformance import backend


def check_peer(layer, peer, *inputs, **arguments):
    """Hold a layer with the peer's weights to the peer's output and its gradients."""
    layer.build(*(peer[name].shape for name in inputs))
    names = ["/".join(w.path.split("/")[1:]) for w in layer.trainable_variables]
    arrays = [peer[name].astype("float32") for name in (*inputs, *names)]
    cotangent = peer["cotangent"].astype("float32")
    split = len(inputs)

    def output(*arrays):
        return layer.stateless_call(
            arrays[split:],
            layer.non_trainable_variables,
            *map(ops.convert_to_tensor, arrays[:split]),
            **arguments,
        )[0]

    def scalar(*arrays):
        return ops.sum(ops.multiply(output(*arrays), cotangent))

    y = backend.as_numpy(output(*map(ops.convert_to_tensor, arrays)))
    counted = cotangent != 0
    np.testing.assert_allclose(y[counted], peer["output"][counted], rtol=1e-4, atol=1e-5)
    _, gradients = backend.value_and_gradients(scalar, arrays)
    for name, gradient in zip((*inputs, *names), gradients, strict=True):
        wanted = peer[f"gradient_{name}"]
        np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-4, err_msg=name)
