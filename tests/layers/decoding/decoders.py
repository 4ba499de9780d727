"""A small decoder with attention, whose layers the decoding layers share."""

import keras
import numpy as np
from keras import ops

from kcatalog import layers

TOKENS, END = 5, 0


def parts(rng, cell=None, **options):
    """An attention wrapper, an embedding and an output layer with clear preferences."""
    cell = cell or keras.layers.GRUCell(4)
    wrapper = layers.AttentionWrapper(cell, layers.BahdanauAttention(3), **options)
    embedding, output = keras.layers.Embedding(TOKENS, 3), keras.layers.Dense(TOKENS)
    wrapper.build((None, None, 3), (None, None, 2))
    embedding.build((None, None))
    output.build((None, wrapper.output_width((None, None, 2))))
    for layer in (wrapper, embedding, output):
        layer.set_weights([1.5 * rng.normal(size=w.shape) for w in layer.weights])
    return wrapper, embedding, output


def source(rng, rows=3):
    """A memory whose rows have different lengths, with its mask."""
    memory = rng.normal(size=(rows, 4, 2)).astype("float32")
    mask = np.arange(4) < np.array([[4], [2], [3]])[:rows]
    return ops.convert_to_tensor(memory), ops.convert_to_tensor(mask)


def one_by_one(wrapper, embedding, output, memory, mask, tokens):
    """The logits after each of some tokens, by the cell and the attention alone."""
    memory, mask = ops.convert_to_numpy(memory)[None], ops.convert_to_numpy(mask)[None]
    states, a, α, found = [ops.zeros((1, 4))], ops.zeros((1, 2)), None, []
    for token in tokens:
        x = ops.concatenate([embedding(np.array([token])), a], axis=-1)
        y, states = wrapper.cell(x, states)
        a, α = wrapper.attention_mechanism(y, memory, alignments=α, memory_mask=mask)
        found.append(ops.convert_to_numpy(output(a))[0])
    return np.array(found, "float64")


def log_softmax(z):
    return z - np.log(np.sum(np.exp(z), axis=-1, keepdims=True))
