"""Writes TensorFlow Addons' golden values of layers without convolution or recurrence."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

FOLDER = Path(__file__).parent
PEER = f"tensorflow-addons {tfa.__version__}, tensorflow {tf.__version__}"


def write(name, **arrays):
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    np.savez_compressed(FOLDER / f"{name}.npz", peer=np.array(PEER), **arrays)


def float32(x):
    return np.asarray(x, dtype="float32")


def traced(function, x, weights=(), names=(), seed=0):
    """Output and gradients of a function of `x` and of variables."""
    x = tf.constant(float32(x))
    with tf.GradientTape() as tape:
        tape.watch(x)
        output = function(x)
        cotangent = float32(np.random.default_rng(seed).normal(size=output.shape))
        total = tf.reduce_sum(output * cotangent)
    gradients = tape.gradient(total, [x, *weights])
    arrays = {name: w.numpy() for name, w in zip(names, weights, strict=True)}
    arrays.update(
        {f"{n}_gradient": g.numpy() for n, g in zip(["x", *names], gradients, strict=True)}
    )
    return {"x": x.numpy(), "cotangent": cotangent, "output": output.numpy(), **arrays}


def weight_normalization():
    rng = np.random.default_rng(31)
    x = rng.normal(size=(2, 5, 6, 4))
    layer = tfa.layers.WeightNormalization(tf.keras.layers.Conv2D(3, 3), data_init=False)
    layer(float32(x))  # the first call sets g
    layer.g.assign(rng.uniform(0.5, 2.0, size=(3,)))
    layer.v.assign(rng.normal(size=(3, 3, 4, 3)))
    layer.layer.bias.assign(rng.normal(size=(3,)))
    weights = [layer.g, layer.v, layer.layer.bias]
    write(
        "tfa_weight_normalization",
        **traced(layer, x, weights, ["kernel_g", "kernel", "bias"], 32),
    )


def filter_response_normalization():
    rng = np.random.default_rng(33)
    x = rng.normal(size=(3, 4, 5, 6))
    layer = tfa.layers.FilterResponseNormalization(epsilon=1e-3, learned_epsilon=True)
    layer(float32(x))
    layer.gamma.assign(rng.normal(size=layer.gamma.shape))
    layer.beta.assign(rng.normal(size=layer.beta.shape))
    layer.eps_learned.assign([-0.25])
    weights = [layer.gamma, layer.beta, layer.eps_learned]
    arrays = traced(layer, x, weights, ["gamma", "beta", "epsilon"], 34)
    for name in ("gamma", "beta", "gamma_gradient", "beta_gradient"):
        arrays[name] = arrays[name].reshape(-1)
    write("tfa_filter_response_normalization", **arrays)


def thresholded_linear_unit():
    rng = np.random.default_rng(35)
    x = rng.normal(size=(7, 6))
    layer = tfa.layers.TLU(affine=True)
    layer(float32(x))
    layer.tau.assign(rng.normal(size=(6,)))
    layer.alpha.assign(rng.normal(size=(6,)))
    arrays = traced(layer, x, [layer.tau, layer.alpha], ["tau", "alpha"], 36)
    write("tfa_tlu", **arrays)


def maxout():
    x = np.random.default_rng(37).normal(size=(3, 4, 6))
    last = traced(tfa.layers.Maxout(2), x, seed=38)
    middle = traced(tfa.layers.Maxout(2, axis=1), x, seed=39)
    write(
        "tfa_maxout",
        **{f"last_{k}": v for k, v in last.items()},
        **{f"middle_{k}": v for k, v in middle.items()},
    )


def noisy_dense():
    """With its noise, given as it was drawn, and without."""
    rng = np.random.default_rng(40)
    x = rng.normal(size=(4, 5))
    arrays = {}
    for variant in ("factorised", "independent"):
        layer = tfa.layers.NoisyDense(3, use_factorised=variant == "factorised", activation="tanh")
        layer(float32(x))
        names = ["sigma_kernel", "mu_kernel", "sigma_bias", "mu_bias"]
        weights = [getattr(layer, name) for name in names]
        arrays[f"{variant}_sigma"] = layer.sigma_kernel.numpy()[0, 0]
        for w in weights:
            w.assign(rng.normal(size=w.shape))
        with_noise = traced(layer, x, weights, names, 41)
        arrays.update({f"{variant}_{k}": v for k, v in with_noise.items()})
        arrays[f"{variant}_eps_kernel"] = layer.eps_kernel.numpy()
        arrays[f"{variant}_eps_bias"] = layer.eps_bias.numpy()
        layer.remove_noise()
        arrays[f"{variant}_mean_output"] = layer(float32(x)).numpy()
    write("tfa_noisy_dense", **arrays)


def activations():
    x = 2 * np.random.default_rng(42).normal(size=(5, 7))
    frequency = tf.Variable(1.5)
    parts = {
        "lisht": traced(tfa.activations.lisht, x, seed=43),
        "snake": traced(
            lambda x: tfa.activations.snake(x, frequency), x, [frequency], ["frequency"], 44
        ),
        "sparsemax": traced(tfa.activations.sparsemax, x, seed=45),
        "rrelu": traced(lambda x: tfa.activations.rrelu(x, 0.1, 0.4, training=False), x, seed=46),
    }
    write("tfa_activations", **{f"{n}_{k}": v for n, a in parts.items() for k, v in a.items()})


def poincare():
    x = np.random.default_rng(47).normal(size=(4, 3))
    x[0] *= 0.1
    write("tfa_poincare", **traced(tfa.layers.PoincareNormalize(epsilon=1e-2), x, seed=48))


if __name__ == "__main__":
    weight_normalization()
    filter_response_normalization()
    thresholded_linear_unit()
    maxout()
    noisy_dense()
    activations()
    poincare()
