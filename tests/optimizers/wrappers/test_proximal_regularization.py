import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import ProximalRegularization


def reference(w, gradients, rates, factor, groups):
    """Forward-backward splitting with plain gradient steps, one group at a time."""
    path = []
    w = w.astype("float64")
    for g, rate in zip(gradients, rates, strict=True):
        w = w - rate * g
        rows, columns = w.shape
        places = {
            "weights": [[(i, j)] for i in range(rows) for j in range(columns)],
            "units": [[(i, j) for i in range(rows)] for j in range(columns)],
            "inputs": [[(i, j) for j in range(columns)] for i in range(rows)],
        }[groups]
        for group in places:
            norm = np.sqrt(sum(w[p] ** 2 for p in group))
            t = rate * factor * np.sqrt(len(group))
            for p in group:
                w[p] = 0.0 if norm <= t else w[p] * (1 - t / norm)
        path.append(w.copy())
    return path


def walk(optimizer, w, gradients):
    path = []
    for g in gradients:
        optimizer.apply([ops.convert_to_tensor(g.astype("float32"))], [w])
        path.append(ops.convert_to_numpy(w.value))
    return path


@pytest.mark.parametrize("groups", ["weights", "units", "inputs"])
def test_reference(rng, groups):
    """With a schedule: the threshold takes the rate of the step it follows."""
    start, gradients = rng.normal(size=(4, 3)), rng.normal(size=(9, 4, 3))
    schedule = keras.optimizers.schedules.ExponentialDecay(0.2, 1, 0.5)
    optimizer = ProximalRegularization(keras.optimizers.SGD(schedule), 3.0, groups)
    path = walk(optimizer, keras.Variable(start.astype("float32")), gradients)
    rates = [0.2 * 0.5**t for t in range(9)]
    expected = reference(start, gradients, rates, 3.0, groups)
    np.testing.assert_allclose(path, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(np.array(path) == 0, np.array(expected) == 0)
    assert 0 < np.mean(np.array(path) == 0) < 1


def test_heads_vanish_as_a_whole(rng):
    attention = keras.layers.MultiHeadAttention(num_heads=3, key_dim=2)
    attention.build((None, 5, 4), (None, 5, 4))
    optimizer = ProximalRegularization(keras.optimizers.SGD(1.0), 0.25, "heads")
    variables = attention.trainable_weights
    for v in variables:
        v.assign(np.ones(v.shape, "float32"))
    kernels = [v for v in variables if v.path.endswith("kernel")]
    for v in kernels:  # one head starts small
        w = np.ones(v.shape, "float32")
        np.moveaxis(w, 0 if "attention_output" in v.path else 1, 0)[1] = 0.01
        v.assign(w)
    optimizer.apply([ops.zeros(v.shape) for v in variables], variables)
    assert len(kernels) == 4
    for v in variables:
        w = ops.convert_to_numpy(v.value)
        if v.path.endswith("bias"):
            assert np.all(w == 1)
            continue
        heads = np.moveaxis(w, 0 if "attention_output" in v.path else 1, 0).reshape(3, -1)
        np.testing.assert_array_equal(heads[1], 0)
        np.testing.assert_allclose(heads[::2], 0.75, rtol=1e-6)


def test_which_weights_are_regularized():
    named = {"kernel": (2, 2), "bias": (2,), "embeddings": (2, 2), "gamma": (2,)}

    def left(**arguments):
        variables = [keras.Variable(np.ones(s, "float32"), name=n) for n, s in named.items()]
        optimizer = ProximalRegularization(keras.optimizers.SGD(1.0), 0.25, **arguments)
        optimizer.apply([ops.zeros(v.shape) for v in variables], variables)
        return [float(ops.convert_to_numpy(v.value).ravel()[0]) for v in variables]

    assert left() == [0.75, 1, 1, 1]
    assert left(names=["emb", "gamma"]) == [1, 1, 0.75, 0.75]
    assert left(groups="heads") == [1, 1, 1, 1]


def test_nested_it_is_the_sparse_group_lasso(rng):
    """The proximal operator of the sum is the group threshold of the soft threshold."""
    start = rng.normal(size=(4, 3)).astype("float32")
    inner = ProximalRegularization(keras.optimizers.SGD(1.0), 0.5, "weights")
    (end,) = walk(
        ProximalRegularization(inner, 0.25, "units"), keras.Variable(start), np.zeros((1, 4, 3))
    )
    (soft,) = reference(start, np.zeros((1, 4, 3)), [1.0], 0.5, "weights")
    (expected,) = reference(soft, np.zeros((1, 4, 3)), [1.0], 0.25, "units")
    np.testing.assert_allclose(end, expected, rtol=1e-5, atol=1e-6)


def test_micro_batches_are_no_steps():
    w = keras.Variable(np.ones((1, 1), "float32"))
    inner = keras.optimizers.SGD(0.5, gradient_accumulation_steps=2)
    path = walk(ProximalRegularization(inner, 0.5), w, np.zeros((4, 1, 1)))
    np.testing.assert_allclose(np.ravel(path), [1.0, 0.75, 0.75, 0.5], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_reaches_zero(dtype):
    w = keras.Variable(np.array([[0.01, 1.0]]), dtype=dtype)
    optimizer = ProximalRegularization(keras.optimizers.SGD(1.0), 0.1)
    optimizer.apply([ops.zeros((1, 2), dtype=dtype)], [w])
    end = ops.convert_to_numpy(ops.cast(w.value, "float32"))
    np.testing.assert_allclose(end, [[0.0, 0.9]], rtol=1e-2)
    assert end[0, 0] == 0
