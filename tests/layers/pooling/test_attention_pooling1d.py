import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance.backend import value_and_gradients
from tests.golden.load import golden


def drawn(layer, rng, shape):
    layer.build(shape)
    weights = {w.name: rng.normal(size=w.shape).astype("float32") for w in layer.weights}
    layer.set_weights(list(weights.values()))
    return weights


def test_reference(rng):
    """Keys, values and weights of each head and query computed, one after the other."""
    x = rng.normal(size=(3, 5, 4)).astype("float32")
    mask = np.array([[1, 1, 1, 1, 1], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], "bool")
    layer = layers.AttentionPooling1D(num_heads=2, num_queries=3)
    w = drawn(layer, rng, x.shape)
    y = ops.convert_to_numpy(layer(x, mask=mask))
    for b, q in np.ndindex(3, 3):
        heads = []
        for n in range(2):
            query = w["query"][q].reshape(2, 2)[n]
            k = x[b] @ w["kernel_key"][:, n]
            v = x[b] @ w["kernel_value"][:, n]
            e = np.exp(k @ query / np.sqrt(2)) * mask[b]
            heads.append(e / max(e.sum(), 1e-30) @ v + w["bias_value"][n])
        wanted = np.concatenate(heads) @ w["kernel_output"] + w["bias_output"]
        np.testing.assert_allclose(y[b, q], wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("case", "options"),
    [
        ("latent", {"num_heads": 2, "intermediate_dim": 12}),
        ("latents", {"num_heads": 3, "num_queries": 2, "intermediate_dim": 6}),
    ],
)
def test_golden(case, options):
    """Timm has keys and values side by side, and a bias of the keys, which cancels."""
    stored = golden("timm_attention_pooling")
    peer = {k.split("/")[1]: a for k, a in stored.items() if k.startswith(f"{case}/")}
    layer = layers.AttentionPooling1D(**options)
    layer.build(peer["x0"].shape)

    def ours(suffix):
        latent, kv, kv_bias, *rest = (peer[f"w{i:02}{suffix}"] for i in range(11))
        output, output_bias, gamma, beta, *feed_forward = rest
        before = [latent, kv[:, :6], kv[:, 6:], kv_bias[6:], output, output_bias]
        arrays = [*before, *feed_forward, gamma, beta]
        return [a.reshape(w.shape) for a, w in zip(arrays, layer.weights, strict=True)]

    def output(x, *weights):
        return layer.stateless_call(list(weights), [], ops.convert_to_tensor(x))[0]

    arrays = [peer["x0"], *ours("")]
    y = ops.convert_to_numpy(output(*map(ops.convert_to_tensor, arrays)))
    np.testing.assert_allclose(y, peer["output0"], rtol=1e-4, atol=1e-4)

    def total(*arrays):
        return ops.sum(ops.multiply(output(*arrays), peer["cotangent0"]))

    _, gradients = value_and_gradients(total, arrays)
    for g, wanted in zip(gradients, [peer["gradient0"], *ours("_gradient")], strict=True):
        np.testing.assert_allclose(g, wanted, rtol=1e-3, atol=1e-3)


def test_steps_have_no_order(rng):
    x = rng.normal(size=(2, 5, 4)).astype("float32")
    layer = layers.AttentionPooling1D(num_heads=2)
    y = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x[:, ::-1])), y, rtol=1e-4, atol=1e-5)


def test_one_query_gives_one_vector():
    assert layers.AttentionPooling1D().compute_output_shape((2, None, 4)) == (2, 4)
    assert layers.AttentionPooling1D(num_queries=3).compute_output_shape((2, None, 4)) == (2, 3, 4)


def test_heads_have_to_divide_the_features():
    with pytest.raises(ValueError, match="multiple of num_heads=3"):
        layers.AttentionPooling1D(num_heads=3).build((None, 5, 4))
