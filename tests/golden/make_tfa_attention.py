"""Writes TensorFlow Addons' golden values of attention around a cell and of beam search."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

FOLDER = Path(__file__).parent
PEER = f"tensorflow-addons {tfa.__version__}, tensorflow {tf.__version__}"
UNITS, TOKENS, END = 4, 5, 0
LENGTHS = np.array([6, 4, 2], "int32")


def write(name, **arrays):
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    np.savez_compressed(FOLDER / f"{name}.npz", peer=np.array(PEER), **arrays)


def float32(x):
    return np.asarray(x, dtype="float32")


def set_weights(rng, layer):
    """Draw the weights of a layer that is built; a scalar gets a number, too."""
    layer.set_weights([float32(0.7 * rng.normal(size=w.shape)) for w in layer.get_weights()])


def drawn(rng):
    """A memory of three lengths, inputs of a decoder and a cotangent of its outputs."""
    memory, x = float32(rng.normal(size=(3, 6, 3))), float32(rng.normal(size=(3, 5, 2)))
    return memory, x, float32(rng.normal(size=(3, 5, 3)))


def attended(mechanism, cell, x, memory):
    """Outputs (batch, steps, size) and alignments of the wrapper, step by step."""
    mechanism.setup_memory(memory, memory_sequence_length=tf.constant(LENGTHS))
    wrapper = tfa.seq2seq.AttentionWrapper(cell, mechanism, attention_layer_size=3)
    state = wrapper.get_initial_state(batch_size=3, dtype=tf.float32)
    outputs, alignments = [], []
    for t in range(x.shape[1]):
        output, state = wrapper(x[:, t], state)
        outputs.append(output)
        alignments.append(state.alignments)
    return tf.stack(outputs, 1), tf.stack(alignments, 1), wrapper


KINDS = {
    "bahdanau": lambda: tfa.seq2seq.BahdanauAttention(UNITS),
    "bahdanau_normalized": lambda: tfa.seq2seq.BahdanauAttention(UNITS, normalize=True),
    "luong": lambda: tfa.seq2seq.LuongAttention(UNITS),
    "luong_scaled": lambda: tfa.seq2seq.LuongAttention(UNITS, scale=True),
    "bahdanau_recursive": lambda: tfa.seq2seq.BahdanauMonotonicAttention(UNITS, mode="recursive"),
    "bahdanau_parallel": lambda: tfa.seq2seq.BahdanauMonotonicAttention(UNITS, mode="parallel"),
    "luong_hard": lambda: tfa.seq2seq.LuongMonotonicAttention(UNITS, mode="hard"),
}


def attention():
    """Outputs, alignments, and the gradients of inputs, memory and all weights."""
    rng, results = np.random.default_rng(71), {}
    memory, x, cotangent = drawn(rng)
    for name, make in KINDS.items():
        mechanism, cell = make(), tf.keras.layers.SimpleRNNCell(UNITS)
        _, _, wrapper = attended(mechanism, cell, tf.constant(x), tf.constant(memory))
        for layer in (cell, mechanism, wrapper._attention_layers[0]):
            set_weights(rng, layer)
        first = wrapper._attention_layers[0].get_weights()
        m, inputs = tf.constant(memory), tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch([m, inputs])
            mechanism.setup_memory(m, memory_sequence_length=tf.constant(LENGTHS))
            state = wrapper.get_initial_state(batch_size=3, dtype=tf.float32)
            outputs, alignments = [], []
            for t in range(x.shape[1]):
                output, state = wrapper(inputs[:, t], state)
                outputs.append(output)
                alignments.append(state.alignments)
            outputs, alignments = tf.stack(outputs, 1), tf.stack(alignments, 1)
            total = tf.reduce_sum(outputs * cotangent)
        named = {v.name.split(":")[0]: v for v in wrapper.trainable_variables}
        gradients = tape.gradient(total, [inputs, m, *named.values()])
        results |= {f"{name}/output": outputs, f"{name}/alignments": alignments}
        for key, value in zip(["x", "memory", *named], gradients, strict=True):
            results[f"{name}/gradient/{key}"] = np.zeros(0) if value is None else value
        results |= {f"{name}/weight/{key}": v.numpy() for key, v in named.items()}
        assert np.array_equal(first, wrapper._attention_layers[0].get_weights())
    write("tfa_attention", memory=memory, x=x, cotangent=cotangent, lengths=LENGTHS, **results)


def beams():
    """Ids and scores of beam search over a cell, without penalty and with one for length."""
    rng, results = np.random.default_rng(73), {}
    cell, output = tf.keras.layers.SimpleRNNCell(UNITS), tf.keras.layers.Dense(TOKENS)
    embedding = float32(rng.normal(size=(TOKENS, 2)))
    cell.build((None, 2))
    output.build((None, UNITS))
    for layer in (cell, output):
        layer.set_weights([float32(1.5 * rng.normal(size=w.shape)) for w in layer.get_weights()])
    state = float32(rng.normal(size=(3, UNITS)))
    for weight in (0.0, 0.8):
        decoder = tfa.seq2seq.BeamSearchDecoder(
            cell, 3, output_layer=output, length_penalty_weight=weight, maximum_iterations=6
        )
        tiled = tfa.seq2seq.tile_batch(tf.constant(state), 3)
        found, last, _ = decoder(
            tf.constant(embedding),
            start_tokens=tf.ones(3, tf.int32),
            end_token=END,
            initial_state=tiled,
        )
        results |= {f"ids_{weight}": found.predicted_ids, f"log_p_{weight}": last.log_probs}
    weights = {f"cell_{i}": w for i, w in enumerate(cell.get_weights())}
    weights |= {f"output_{i}": w for i, w in enumerate(output.get_weights())}
    write("tfa_beam_search", embedding=embedding, state=state, **weights, **results)


if __name__ == "__main__":
    attention()
    beams()
