import keras
import numpy as np
from keras import ops

from kcatalog import layers
from tests.layers.decoding import decoders


def test_reference_teacher_forcing(rng):
    memory, mask = decoders.source(rng)
    shared = decoders.parts(rng)
    tokens = rng.integers(1, decoders.TOKENS, (3, 4))
    layer = layers.ScheduledSampling(*shared, rate=0.9)
    logits, attention = layer(tokens, memory, memory_mask=mask, return_attention_scores=True)
    plain = layer(tokens, memory, memory_mask=mask)
    np.testing.assert_allclose(*map(ops.convert_to_numpy, (plain, logits)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(ops.sum(attention, -1)), 1.0, rtol=1e-5)
    for row in range(3):
        wanted = decoders.one_by_one(*shared, memory[row], mask[row], tokens[row])
        np.testing.assert_allclose(ops.convert_to_numpy(logits)[row], wanted, rtol=1e-4, atol=1e-5)


def test_own_tokens_replace_given_ones(rng):
    """With rate 1 and clear logits, training sees what a greedy decoder generates."""
    wrapper, embedding, output = decoders.parts(rng)
    output.set_weights([300 * w for w in output.get_weights()])
    memory, _ = decoders.source(rng)
    start = ops.ones((3, 1), "int32")
    greedy = layers.SamplingDecoder(wrapper, embedding, output, max_steps=4, temperature=0)
    right = ops.concatenate([start, greedy(start, memory)], axis=1)[:, :4]
    wrong = ops.concatenate([start, ops.zeros((3, 3), "int32")], axis=1)
    layer = layers.ScheduledSampling(wrapper, embedding, output, rate=1.0, seed=1)
    sampled, forced = layer(wrong, memory, training=True), layer(right, memory)
    np.testing.assert_allclose(*map(ops.convert_to_numpy, (sampled, forced)), rtol=1e-3, atol=1e-3)


def test_trains_with_a_cell_that_drops_out(rng):
    cell = keras.layers.StackedRNNCells([keras.layers.GRUCell(4, dropout=0.5, seed=1)])
    x = rng.integers(0, decoders.TOKENS, (2, 4))
    for rate in (0.0, 0.5):
        embedding, output = keras.layers.Embedding(5, 3), keras.layers.Dense(5)
        layer = layers.ScheduledSampling(cell, embedding, output, rate=rate, seed=1)
        model = keras.Sequential([layer])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        assert np.isfinite(model.train_on_batch(x, x))
