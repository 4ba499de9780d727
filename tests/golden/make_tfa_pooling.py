"""Writes the golden values of TensorFlow Addons' pooling layers; see README.md."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa
from tensorflow_addons.layers.netvlad import NetVLAD

FOLDER = Path(__file__).parent


def case(function, *arrays):
    """Outputs and gradients of `sum(output * cotangent)` for every array."""
    tensors = [tf.constant(a, tf.float64) for a in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        output = function(*tensors)
        cotangent = np.random.default_rng(41).normal(size=output.shape).astype("float32")
        total = tf.reduce_sum(output * cotangent)
    gradients = tape.gradient(total, tensors)
    found = {"output": output.numpy(), "cotangent": cotangent}
    for i, (a, g) in enumerate(zip(arrays, gradients, strict=True)):
        found |= {f"x{i}": a, f"gradient{i}": g.numpy()}
    return found


def main():
    rng = np.random.default_rng(43)
    x = rng.normal(size=(2, 12, 6, 3)).astype("float32")
    pyramid = tfa.layers.SpatialPyramidPooling2D([1, [2, 3], [4, 6]], dtype="float64")
    cases = {"pyramid": case(pyramid, x)}
    for name, size, strides, padding in (
        ("same", (2, 2), (2, 2), "SAME"),
        ("valid", (3, 2), (3, 2), "VALID"),
        ("apart", (2, 2), (3, 3), "VALID"),
    ):
        shape = {"apart": (2, 11, 5, 3)}.get(name, x.shape)
        image = rng.normal(size=shape).astype("float32")
        values, indices = tf.nn.max_pool_with_argmax(
            tf.constant(image), size, strides, padding, include_batch_in_index=False
        )
        unpool = tfa.layers.MaxUnpooling2D(size, strides, padding, dtype="float64")
        found = case(lambda v, u=unpool, i=indices: u(v, i), values.numpy())
        cases[f"unpool_{name}"] = {**found, "image": image, "indices": indices.numpy()}
    vlad = NetVLAD(3)
    frames = rng.normal(size=(2, 5, 4)).astype("float32")
    vlad.build(frames.shape)
    vlad(frames)
    weights = [rng.normal(size=w.shape).astype("float32") for w in vlad.weights]
    names = [w.name for w in vlad.weights]
    order = [next(i for i, n in enumerate(names) if key in n) for key in ("kernel", "bias", "cent")]

    def of_weights(frames, kernel, bias, centers):
        a = tf.nn.softmax(tf.tensordot(frames, kernel, 1) + bias)
        total = tf.einsum("btk,btf->bfk", a, frames) - tf.reduce_sum(a, 1)[:, None] * centers
        flat = tf.reshape(tf.nn.l2_normalize(total, 1), (len(frames), -1))
        return tf.nn.l2_normalize(flat, 1)

    vlad.set_weights(weights)
    arrays = [frames, *(weights[i] for i in order)]
    found = case(of_weights, *arrays)  # TFA's weights are no inputs; its output has to be the same
    np.testing.assert_allclose(vlad(frames), found["output"], rtol=1e-4, atol=1e-6)
    cases["vlad"] = found
    arrays = {f"{c}/{key}": a for c, of in cases.items() for key, a in of.items()}
    peer = f"tensorflow-addons {tfa.__version__}, tensorflow {tf.__version__}"
    np.savez_compressed(FOLDER / "tfa_pooling.npz", peer=np.array(peer), **arrays)


main()
