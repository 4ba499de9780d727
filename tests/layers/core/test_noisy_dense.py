import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance import backend
from tests.golden.load import golden

NAMES = ("mu_kernel", "sigma_kernel", "mu_bias", "sigma_bias")


def reference(x, weights, ε, ε_bias):
    """Equation 9, one number at a time, with tanh."""
    mu, sigma, mu_bias, sigma_bias = weights
    y = np.zeros((len(x), mu.shape[1]))
    for n, j in np.ndindex(y.shape):
        s = mu_bias[j] + sigma_bias[j] * ε_bias[j]
        s += sum(x[n, i] * (mu[i, j] + sigma[i, j] * ε[i, j]) for i in range(len(mu)))
        y[n, j] = np.tanh(s)
    return y


@pytest.mark.parametrize("factorised", [True, False])
def test_reference(rng, factorised):
    layer = layers.NoisyDense(3, use_factorised=factorised, activation="tanh", seed=1)
    x = rng.normal(size=(4, 5)).astype("float32")
    layer.build(x.shape)
    by_name = {w.name: w for w in layer.weights}
    for name in NAMES:
        by_name[name].assign(rng.normal(size=by_name[name].shape))
    layer.reset_noise()
    a, b = by_name["noise_inputs"].numpy(), by_name["noise_units"].numpy()
    ε = np.outer(a, b) if factorised else a
    expected = reference(x, [by_name[n].numpy() for n in NAMES], ε, b)
    np.testing.assert_allclose(backend.as_numpy(layer(x)), expected, rtol=1e-4, atol=1e-5)
    trained = backend.as_numpy(layer(x, training=True))
    assert np.abs(trained - expected).max() > 1e-3  # draws its own
    np.testing.assert_array_equal(by_name["noise_units"].numpy(), b)


@pytest.mark.parametrize("variant", ["factorised", "independent"])
def test_golden(variant):
    peer = {k[len(variant) + 1 :]: v for k, v in golden("tfa_noisy_dense").items() if variant in k}
    factorised = variant == "factorised"
    layer = layers.NoisyDense(3, use_factorised=factorised, activation="tanh")
    layer.build(peer["x"].shape)
    by_name = {w.name: w for w in layer.weights}
    start = by_name["sigma_kernel"].numpy()
    np.testing.assert_allclose(start, np.full_like(start, peer["sigma"]), rtol=1e-5)
    for name in NAMES:
        by_name[name].assign(peer[name])
    mean = backend.as_numpy(layer(peer["x"]))
    np.testing.assert_allclose(mean, peer["mean_output"], rtol=1e-4, atol=1e-5)

    noise = peer["eps_kernel"]
    if factorised:  # the peer keeps the products a b only
        noise = noise[:, 0] / peer["eps_bias"][0]
    names = [w.name for w in layer.trainable_weights]

    def function(x, *weights):
        y, _ = layer.stateless_call(list(weights), others, x)
        return ops.sum(ops.multiply(y, peer["cotangent"]))

    by_name["noise_inputs"].assign(noise)
    by_name["noise_units"].assign(peer["eps_bias"])
    others = [ops.convert_to_tensor(v.numpy()) for v in layer.non_trainable_variables]
    y = backend.as_numpy(layer(peer["x"]))
    np.testing.assert_allclose(y, peer["output"], rtol=1e-4, atol=1e-5)
    arrays = [peer[n] for n in ("x", *names)]
    _, gradients = backend.value_and_gradients(function, arrays)
    for found, name in zip(gradients, ("x", *names), strict=True):
        np.testing.assert_allclose(found, peer[f"{name}_gradient"], rtol=1e-3, atol=1e-4)


def test_factorised_noise_has_mean_0_and_the_variance_of_its_root(rng):
    """E f(a)² = E|a| = √(2/π) for standard normal a."""
    layer = layers.NoisyDense(4000, seed=2)
    layer.build((None, 3))
    layer.reset_noise()
    b = {w.name: w.numpy() for w in layer.weights}["noise_units"]
    np.testing.assert_allclose(b.mean(), 0.0, atol=0.06)
    np.testing.assert_allclose((b**2).mean(), np.sqrt(2 / np.pi), atol=0.05)
