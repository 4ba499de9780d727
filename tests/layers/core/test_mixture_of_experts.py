import numpy as np
import pytest
from keras import ops

from kcatalog import layers


def reference(x, r, w1, w2, k, room=None):
    """Section 2 of Fedus et al. for several experts a step, in the order of steps."""
    y, f, mean = np.zeros_like(x), np.zeros(r.shape[1]), np.zeros(r.shape[1])
    for n in range(len(x)):
        taken = np.zeros(r.shape[1], int)
        for t in range(x.shape[1]):
            e = np.exp(x[n, t] @ r)
            p = e / e.sum()
            mean += p / (len(x) * x.shape[1])
            best = np.argsort(-p)[:k]
            gates = p[best] / p[best].sum() if k > 1 else p[best]
            for g, expert in zip(gates, best, strict=True):
                f[expert] += 1 / (len(x) * x.shape[1] * k)
                taken[expert] += 1
                if room is None or taken[expert] <= room:
                    y[n, t] += g * np.maximum(x[n, t] @ w1[expert], 0) @ w2[expert]
    return y, len(f) * np.sum(f * mean)


@pytest.mark.parametrize(("k", "factor"), [(1, None), (1, 1.0), (2, None), (2, 0.5)])
def test_reference(rng, k, factor):
    x = rng.normal(size=(2, 6, 4)).astype("float32")
    layer = layers.MixtureOfExperts(
        3, 5, top_k=k, capacity_factor=factor, load_balancing_factor=0.5
    )
    layer.build(x.shape)
    weights = [rng.normal(size=w.shape).astype("float32") for w in layer.weights]
    layer.set_weights(weights)
    room = factor and round(factor * k * 6 / 3)
    wanted, loss = reference(x, *weights, k, room)
    y = ops.convert_to_numpy(layer(x, training=True))
    np.testing.assert_allclose(y, wanted, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(ops.convert_to_numpy(layer.losses[0]), loss / 2, rtol=1e-4)


@pytest.mark.parametrize("factor", [None, 3.0])
def test_padding_takes_no_room(rng, factor):
    """Padding before the real steps changes neither them nor the loss."""
    x = rng.normal(size=(1, 6, 4)).astype("float32")
    layer = layers.MixtureOfExperts(3, 5, capacity_factor=factor)
    mask = ops.convert_to_tensor([[False, True, True, False, True, True]])
    padded = ops.convert_to_numpy(layer(x, mask=mask, training=True))
    loss = ops.convert_to_numpy(layer.losses[0])
    real = [1, 2, 4, 5]
    alone = ops.convert_to_numpy(layer(x[:, real], training=True))
    np.testing.assert_allclose(padded[:, real], alone, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(loss, ops.convert_to_numpy(layer.losses[-1]), rtol=1e-5)
    assert not np.any(padded[:, [0, 3]])


def test_loss_is_least_for_equally_busy_experts(rng):
    """It is 1 then, and `num_experts` if one expert gets everything."""
    x = np.eye(3, dtype="float32")[None]
    layer = layers.MixtureOfExperts(3, 2, top_k=1, load_balancing_factor=1.0)
    layer.build(x.shape)
    for router, loss in ((50 * np.eye(3), 1.0), (50 * np.eye(3)[:1].repeat(3, 0), 3.0)):
        layer.set_weights([router, *layer.get_weights()[1:]])
        layer(x, training=True)
        np.testing.assert_allclose(ops.convert_to_numpy(layer.losses[-1]), loss, rtol=1e-5)
