"""Correlation cost of TensorFlow Addons: see README.md for its environment."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

rng = np.random.default_rng(0)
a, b = (rng.normal(size=(2, 6, 5, 3)).astype("float32") for _ in range(2))
found = {
    "a": a,
    "b": b,
    "peer": f"tensorflow-addons {tfa.__version__}, tensorflow {tf.__version__}",
}
for name, arguments in {"pixels": (1, 2, 1, 1, 2), "patches": (3, 2, 1, 2, 3)}.items():
    x, y = tf.constant(a), tf.constant(b)
    with tf.GradientTape() as tape:
        tape.watch((x, y))
        cost = tfa.layers.CorrelationCost(*arguments, "channels_last")([x, y])
        cotangent = rng.normal(size=cost.shape).astype("float32")
        value = tf.reduce_sum(cost * cotangent)
    gradients = tape.gradient(value, (x, y))
    found |= {name: np.array(arguments), f"{name}_cost": cost, f"{name}_cotangent": cotangent}
    found |= {f"{name}_a_gradient": gradients[0], f"{name}_b_gradient": gradients[1]}
np.savez_compressed(Path(__file__).parent / "tfa_correlation.npz", **found)
