"""Golden values of recurrent cells from TensorFlow Addons: see README.md beside this file."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

UNITS, FEATURES, STEPS, BATCH = 4, 3, 6, 2
CELLS = {
    "peephole": lambda: tfa.rnn.PeepholeLSTMCell(UNITS),
    "simple": lambda: tfa.rnn.LayerNormSimpleRNNCell(UNITS, layernorm_epsilon=1e-3),
    "nas": lambda: tfa.rnn.NASCell(UNITS, projection=3, use_bias=True),
    "esn": lambda: tfa.rnn.ESNCell(UNITS, leaky=0.7),
}


def main():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(BATCH, STEPS, FEATURES)).astype("float32")
    values = {"x": x}
    for name, make in CELLS.items():
        cell = make()
        rnn = tf.keras.layers.RNN(cell, return_sequences=True)
        width = rnn(x).shape[-1]
        cotangent = rng.normal(size=(BATCH, STEPS, width)).astype("float32")
        for w in cell.weights:
            w.assign(0.6 * rng.normal(size=w.shape))
        tensor = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch([tensor, *cell.weights])
            y = rnn(tensor)
            total = tf.reduce_sum(y * cotangent)
        gradients = tape.gradient(total, [tensor, *cell.weights])
        values |= {f"{name}_output": y.numpy(), f"{name}_cotangent": cotangent}
        values[f"{name}_gradient_x"] = gradients[0].numpy()
        for w, gradient in zip(cell.weights, gradients[1:], strict=True):
            short = w.name.split("/")[-1].split(":")[0]
            values[f"{name}_{short}"] = w.numpy()
            values[f"{name}_gradient_{short}"] = gradient.numpy()
    peer = (
        f"tensorflow-addons {tfa.__version__}, tensorflow {tf.__version__}, NumPy {np.__version__}"
    )
    np.savez_compressed(Path(__file__).parent / "tfa_recurrent.npz", peer=peer, **values)


if __name__ == "__main__":
    main()
