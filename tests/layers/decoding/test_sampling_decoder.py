import keras
import numpy as np
from keras import ops

from kcatalog import layers
from tests.layers.decoding import decoders


def test_reference_greedy(rng):
    """At temperature 0 each token is the best after those before it."""
    memory, mask = decoders.source(rng)
    shared = decoders.parts(rng)
    decoder = layers.SamplingDecoder(*shared, max_steps=4, end_token=decoders.END, temperature=0)
    ids = ops.convert_to_numpy(decoder(ops.ones((3, 1), "int32"), memory, memory_mask=mask))
    for row in range(3):
        tokens = [1]
        while len(tokens) < 5:
            z = decoders.one_by_one(*shared, memory[row], mask[row], tokens)
            tokens.append(decoders.END if decoders.END in tokens else int(z[-1].argmax()))
        assert ids[row].tolist() == tokens[1:]


def sampler(**options):
    cell = keras.layers.SimpleRNNCell(2, kernel_initializer="zeros")
    bias = keras.initializers.Constant(np.log([0.1, 0.2, 0.3, 0.4]))
    output = keras.layers.Dense(4, bias_initializer=bias)
    return layers.SamplingDecoder(cell, keras.layers.Embedding(4, 1), output, **options)


def shares(decoder):
    ids = ops.convert_to_numpy(decoder(ops.ones((500, 1), "int32")))
    return np.bincount(ids.ravel(), minlength=4) / ids.size


def test_frequencies():
    """Shares of 10,000 draws, within five deviations."""
    expected = {
        (): [0.1, 0.2, 0.3, 0.4],
        (("temperature", 0.5),): np.square([0.1, 0.2, 0.3, 0.4]) / 0.3,
        (("top_k", 2),): [0, 0, 3 / 7, 4 / 7],
        (("top_p", 0.75),): [0, 2 / 9, 3 / 9, 4 / 9],
    }
    for options, wanted in expected.items():
        found = shares(sampler(max_steps=20, seed=3, **dict(options)))
        np.testing.assert_allclose(found, wanted, atol=0.025)


def test_seeds():
    start = ops.ones((20, 1), "int32")
    one, same, other = (sampler(max_steps=5, seed=seed) for seed in (1, 1, 2))
    first, second = (ops.convert_to_numpy(one(start)) for _ in range(2))
    np.testing.assert_array_equal(ops.convert_to_numpy(same(start)), first)
    assert (first != second).any()
    assert (ops.convert_to_numpy(other(start)) != first).any()
