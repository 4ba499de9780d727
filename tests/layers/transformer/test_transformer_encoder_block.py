import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.golden.load import golden
from tests.layers.peer_weights import check_peer


def softmax(scores):
    e = np.exp(scores - np.max(scores))
    return e / e.sum()


def standardized(v, gamma, epsilon=1e-5, centred=True):
    v = v - v.mean() if centred else v
    return gamma * v / np.sqrt(np.mean(v * v) + epsilon)


def turned(v, t):
    """One head's query or key, its halves turned by angles that grow with `t`."""
    half = len(v) // 2
    out = np.empty_like(v)
    for i in range(half):
        a = t * 10000.0 ** (-i / half)
        out[i] = v[i] * np.cos(a) - v[i + half] * np.sin(a)
        out[i + half] = v[i] * np.sin(a) + v[i + half] * np.cos(a)
    return out


def test_reference_of_a_modern_block(rng):
    """Pre-normalization by RMS, rotary, SwiGLU, no biases: head by head and step by step."""
    steps, features, heads = 4, 8, 2
    block = layers.TransformerEncoderBlock(
        6,
        heads,
        activation="silu",
        normalize_first=True,
        normalization="rms",
        gated=True,
        rotary=True,
        use_bias=False,
    )
    block.build((None, steps, features))
    w = {}
    for v in block.trainable_variables:
        w["/".join(v.path.split("/")[1:-1])] = a = rng.normal(size=v.shape).astype("float32")
        v.assign(a)
    x = rng.normal(size=(steps, features))
    h, y = np.empty_like(x), np.empty_like(x)
    n = [standardized(v, w["self_attention_norm"], centred=False) for v in x]
    for t in range(steps):
        h[t] = x[t]
        for head in range(heads):
            q, k, v = (
                [n[s] @ w[f"self_attention/{part}"][:, head] for s in range(t + 1)]
                for part in ("query", "key", "value")
            )
            scores = [turned(q[t], t) @ turned(k[s], s) / 2 for s in range(t + 1)]
            mean = softmax(np.array(scores)) @ np.array(v)
            h[t] += mean @ w["self_attention/attention_output"][head]
        z = standardized(h[t], w["feed_forward_norm"], centred=False)
        gate, up = z @ w["feed_forward/gate"], z @ w["feed_forward/up"]
        y[t] = h[t] + (gate / (1 + np.exp(-gate)) * up) @ w["feed_forward/down"]
    ours = ops.convert_to_numpy(block(x[None].astype("float32"), use_causal_mask=True))[0]
    np.testing.assert_allclose(ours, y, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize(("where", "activation"), [("post", "relu"), ("pre", "gelu")])
def test_golden(where, activation):
    peer = golden(f"torch_transformer_encoder_{where}")
    block = layers.TransformerEncoderBlock(
        6, 2, activation=activation, normalize_first=where == "pre"
    )
    check_peer(block, peer, "x", mask=ops.convert_to_tensor(peer["mask"]))


@pytest.mark.parametrize("name", ["TransformerEncoderBlock", "TransformerDecoderBlock"])
def test_dropout_in_training_equals_the_fused_kernel_in_expectation(rng, name):
    """With a rate that drops nothing, the path with weights of its own gives the same."""
    x = rng.normal(size=(2, 5, 8)).astype("float32")
    mask = ops.convert_to_tensor(np.arange(5) < np.array([[5], [3]]))
    block = getattr(layers, name)(6, 2, dropout=1e-12)
    fused, explicit = (
        ops.convert_to_numpy(block(x, mask=mask, training=training)) for training in (False, True)
    )
    np.testing.assert_allclose(explicit, fused, rtol=1e-4, atol=1e-5)


def test_attention_mask_keeps_pairs_apart(rng):
    """Two documents packed into one sequence do not see each other."""
    x = rng.normal(size=(1, 6, 4)).astype("float32")
    of = np.array([0, 0, 0, 1, 1, 1])
    block = layers.TransformerEncoderBlock(6, 2)
    packed = ops.convert_to_numpy(block(x, attention_mask=(of[:, None] == of)[None]))
    alone = ops.convert_to_numpy(ops.concatenate([block(x[:, :3]), block(x[:, 3:])], axis=1))
    np.testing.assert_allclose(packed, alone, rtol=1e-4, atol=1e-5)


def test_keras_mask_and_attention_mask_both_count(rng):
    x = rng.normal(size=(1, 5, 4)).astype("float32")
    x[:, 3:] = 0
    block, everything = layers.TransformerEncoderBlock(6, 2), np.ones((1, 5, 5), bool)
    y = block(keras.layers.Masking()(x), attention_mask=everything)
    wanted = ops.convert_to_numpy(block(x[:, :3]))
    np.testing.assert_allclose(ops.convert_to_numpy(y)[:, :3], wanted, rtol=1e-4, atol=1e-5)


def test_heads_must_divide_features():
    with pytest.raises(ValueError, match="features are a multiple of num_heads=3"):
        layers.TransformerEncoderBlock(6, 3)(keras.Input((5, 4)))
