import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance import backend
from tests.golden.load import golden

L = keras.layers
# A layer, one sample's shape, and the axes of its kernel over which a unit's weights lie.
CASES = {
    "dense": (lambda: L.Dense(4, "tanh"), (3,), (0,)),
    "conv2d": (lambda: L.Conv2D(4, 3), (5, 5, 3), (0, 1, 2)),
    "transposed": (lambda: L.Conv2DTranspose(4, 3, name="up"), (4, 4, 3), (0, 1, 3)),
    "depthwise": (lambda: L.DepthwiseConv2D(3, depth_multiplier=2, name="d"), (5, 5, 3), (0, 1)),
    "einsum": (lambda: L.EinsumDense("abc,cde->abde", (None, 2, 3)), (4, 5), (0,)),
    "lstm": (lambda: L.LSTM(4), (5, 3), (0,)),
}


def reference(v, g, axes):
    """Equation 2, one unit at a time."""
    v, w = np.asarray(v, "float64"), np.zeros(v.shape)
    units = [i for i in range(v.ndim) if i not in axes]
    for unit in np.ndindex(*(v.shape[i] for i in units)):
        where = [slice(None)] * v.ndim
        for i, n in zip(units, unit, strict=True):
            where[i] = n
        one = v[tuple(where)]
        w[tuple(where)] = g[unit] * one / np.sqrt(np.sum(one**2))
    return w


def made(rng, case, **kwargs):
    """A wrapped layer whose `g` was moved, its input, and a plain layer with the weights `w`."""
    make, shape, axes = CASES[case]
    x = rng.normal(size=(4, *shape)).astype("float32")
    wrapper, plain = layers.WeightNormalization(make(), **kwargs), make()
    wrapper.build((None, *shape))
    plain.build((None, *shape))
    lengths = [w for w in wrapper.trainable_weights if w.name.endswith("_g")]
    kernels = [w for w in wrapper.layer.trainable_weights if "kernel" in w.name]
    for g, v in zip(lengths, kernels, strict=True):
        g.assign(rng.uniform(0.5, 2.0, size=g.shape))
        by_name = {w.name: w for w in plain.trainable_weights}
        by_name[v.name].assign(reference(v.numpy(), g.numpy(), axes))
    return wrapper, plain, x


@pytest.mark.parametrize("case", CASES)
def test_reference(rng, case):
    wrapper, plain, x = made(rng, case, data_init=False)
    y, expected = (backend.as_numpy(layer(x)) for layer in (wrapper, plain))
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    again = backend.as_numpy(wrapper.remove()(x))
    np.testing.assert_allclose(again, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(backend.as_numpy(wrapper(x)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("peer", ["tfa_weight_normalization", "torch_weight_norm"])
def test_golden(peer):
    peer = golden(peer)
    layer = layers.WeightNormalization(L.Conv2D(3, 3), data_init=False)
    layer.build(peer["x"].shape)
    names = [w.name for w in layer.weights]
    assert sorted(names) == ["bias", "kernel", "kernel_g"]
    arrays = [peer["x"], *(peer[n] for n in names)]

    def function(x, *weights):
        y, _ = layer.stateless_call(list(weights), [], x)
        return ops.sum(ops.multiply(y, peer["cotangent"]))

    layer.set_weights(arrays[1:])
    np.testing.assert_allclose(backend.as_numpy(layer(peer["x"])), peer["output"], 1e-4, 1e-5)
    _, gradients = backend.value_and_gradients(function, arrays)
    for name, gradient in zip(["x", *names], gradients, strict=True):
        np.testing.assert_allclose(gradient, peer[f"{name}_gradient"], 1e-3, 1e-4)


@pytest.mark.parametrize("case", ["dense", "transposed", "depthwise"])
def test_first_batch_gives_each_unit_mean_0_and_variance_1(rng, case):
    make, shape, _ = CASES[case]
    inner = make()
    inner.activation = keras.activations.linear
    layer = layers.WeightNormalization(inner)
    x = (3 + 5 * rng.normal(size=(40, *shape))).astype("float32")
    before = backend.as_numpy(layer(x))
    first = backend.as_numpy(layer(x, training=True))
    axes = tuple(range(first.ndim - 1))
    assert np.abs(before.mean(axes)).max() > 0.1
    np.testing.assert_allclose(first.mean(axes), 0.0, atol=1e-4)
    np.testing.assert_allclose(first.std(axes), 1.0, atol=1e-3)
    layer(2 * x, training=True)  # a second batch changes nothing
    np.testing.assert_allclose(backend.as_numpy(layer(x)), first, rtol=1e-4, atol=1e-5)


def test_an_empty_first_batch_leaves_it_to_the_next(rng):
    layer = layers.WeightNormalization(L.Dense(4))
    x = rng.normal(size=(9, 3)).astype("float32")
    assert len(layer(x[:0], training=True)) == 0
    y = backend.as_numpy(layer(x, training=True))
    np.testing.assert_allclose(y.std(0), 1.0, atol=1e-3)


def test_padding_does_not_count_in_the_first_batch(rng):
    x = rng.normal(size=(8, 6, 3)).astype("float32")
    padded = np.concatenate([x, np.full_like(x, 9.0)], axis=1)
    mask = np.arange(12) < 6
    results = []
    for inputs, kwargs in ((x, {}), (padded, {"mask": np.tile(mask, (8, 1))})):
        keras.utils.set_random_seed(1)
        layer = layers.WeightNormalization(L.Dense(4))
        kwargs = {n: ops.convert_to_tensor(v) for n, v in kwargs.items()}
        results.append(backend.as_numpy(layer(inputs, training=True, **kwargs))[:, :6])
    np.testing.assert_allclose(*results, rtol=1e-4, atol=1e-5)


def test_regularizer_and_constraint_see_the_kernel_itself(rng):
    """An L2 penalty is that of `w`, and after a step no column of `w` is longer than allowed."""
    limit = keras.constraints.MaxNorm(1.0, axis=0)
    inner = L.Dense(4, kernel_regularizer=keras.regularizers.L2(0.5), kernel_constraint=limit)
    model = keras.Sequential([keras.Input((3,)), layers.WeightNormalization(inner, False)])
    g = model.weights[0]
    g.assign([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(backend.as_numpy(model.losses[0]), 0.5 * 30.0, rtol=1e-5)
    optimizer = keras.optimizers.SGD()
    optimizer.build(model.trainable_variables)
    optimizer.apply([ops.zeros(w.shape) for w in model.trainable_variables])
    w = model.layers[0].remove().kernel.numpy()
    lengths = np.linalg.norm(w, axis=0)
    assert lengths.max() < 1.0001
    assert lengths.min() > 0.9


def test_a_loaded_model_goes_on_from_the_first_batch(rng, tmp_path):
    x, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
    model = keras.Sequential([keras.Input((3,)), layers.WeightNormalization(L.Dense(2, "relu"))])
    model.compile("sgd", "mse", jit_compile=backend.JIT)
    model.train_on_batch(x, y)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    losses = [m.train_on_batch(5 * x, y) for m in (model, again)]
    np.testing.assert_allclose(*losses, rtol=1e-5)
    one, other = (backend.as_numpy(m(x.astype("float32"))) for m in (model, again))
    np.testing.assert_allclose(one, other, rtol=1e-5)


def test_a_layer_without_a_kernel_is_refused():
    with pytest.raises(ValueError, match="WeightNormalization: `layer` must be a layer with a"):
        layers.WeightNormalization(L.Dropout(0.5)).build((None, 3))
