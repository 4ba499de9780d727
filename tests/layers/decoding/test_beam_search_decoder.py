import itertools

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.golden.load import golden
from tests.layers.decoding import decoders


def test_reference_exhaustive_search(rng):
    """A beam of all sequences finds the best of them, in each row of a padded memory."""
    steps, (memory, mask) = 2, decoders.source(rng)
    shared = decoders.parts(rng)
    decoder = layers.BeamSearchDecoder(
        *shared,
        max_steps=steps,
        end_token=decoders.END,
        beam_width=decoders.TOKENS**steps,
        length_penalty_weight=0.7,
        return_all_beams=True,
    )
    start = ops.ones((3, 1), "int32")
    ids, scores = (ops.convert_to_numpy(x) for x in decoder(start, memory, memory_mask=mask))
    for row in range(3):
        found = {}
        for tokens in itertools.product(range(decoders.TOKENS), repeat=steps):
            z = decoders.one_by_one(*shared, memory[row], mask[row], (1, *tokens[:-1]))
            ended = tokens.index(decoders.END) + 1 if decoders.END in tokens else steps
            p = sum(decoders.log_softmax(z)[t, tokens[t]] for t in range(ended))
            whole = (*tokens[:ended], *[decoders.END] * (steps - ended))
            found[whole] = p / ((5 + ended) / 6) ** 0.7
        best = max(found, key=found.get)
        assert tuple(ids[row, 0]) == best
        np.testing.assert_allclose(scores[row, 0], found[best], rtol=1e-4)


def test_golden():
    """Without a penalty; the peer counts the end token in `|Y|` only a step after it."""
    peer = golden("tfa_beam_search")
    cell, output = keras.layers.SimpleRNNCell(4), keras.layers.Dense(5)
    embedding = keras.layers.Embedding(5, 2)
    options = {"max_steps": 6, "end_token": 0, "beam_width": 3, "return_all_beams": True}
    decoder = layers.BeamSearchDecoder(cell, embedding, output, **options)
    decoder.build((None, 1))
    cell.set_weights([peer[f"cell_{i}"] for i in range(3)])
    output.set_weights([peer[f"output_{i}"] for i in range(2)])
    embedding.set_weights([peer["embedding"]])
    ids, scores = decoder(np.ones((3, 1), "int32"), initial_state=peer["state"])
    np.testing.assert_array_equal(ops.convert_to_numpy(ids), peer["ids_0.0"].transpose(0, 2, 1))
    np.testing.assert_allclose(ops.convert_to_numpy(scores), peer["log_p_0.0"], rtol=1e-4)


def test_beginnings_and_states_continue(rng):
    """A beginning of two tokens is the first token and the states after it."""
    cell, embedding, output = keras.layers.LSTMCell(4), *decoders.parts(rng)[1:]
    output = keras.layers.Dense(decoders.TOKENS)
    decoder = layers.BeamSearchDecoder(cell, embedding, output, max_steps=4)
    both = decoder(np.array([[3, 2]]))
    _, states = cell(embedding(np.array([3])), cell.get_initial_state(1))
    np.testing.assert_array_equal(
        *map(ops.convert_to_numpy, (both, decoder(np.array([[2]]), initial_state=states)))
    )


def test_coverage_changes_the_choice(rng):
    memory, mask = decoders.source(rng)
    shared, start = decoders.parts(rng), ops.ones((3, 1), "int32")
    kernel, bias = shared[2].get_weights()
    shared[2].set_weights([kernel, bias + 3 * np.eye(decoders.TOKENS)[decoders.END]])
    options = {"max_steps": 4, "end_token": decoders.END, "return_all_beams": True}
    plain = layers.BeamSearchDecoder(*shared, **options)
    covering = layers.BeamSearchDecoder(*shared, coverage_penalty_weight=2.0, **options)
    _, one = plain(start, memory, memory_mask=mask)
    _, two = covering(start, memory, memory_mask=mask)
    assert not np.allclose(*map(ops.convert_to_numpy, (one, two)))
    assert np.isfinite(ops.convert_to_numpy(two)).all()


def test_saved_with_attention_and_masks(rng, tmp_path):
    source, start = keras.Input((None,), dtype="int32"), keras.Input((1,), dtype="int32")
    memory = keras.layers.Embedding(9, 2, mask_zero=True)(source)
    options = {"max_steps": 3, "end_token": decoders.END, "return_all_beams": True}
    ids, scores = layers.BeamSearchDecoder(*decoders.parts(rng), **options)(start, memory)
    model = keras.Model([source, start], [ids, scores])
    x = [np.array([[3, 4, 0, 0], [5, 6, 7, 8]]), np.array([[1], [1]])]
    wanted = model.predict_on_batch(x)
    short = model.predict_on_batch([x[0][:1, :2], x[1][:1]])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras").predict_on_batch(x)
    for got, rows in ((short, 1), (again, 2)):
        np.testing.assert_array_equal(got[0], wanted[0][:rows])
        np.testing.assert_allclose(got[1], wanted[1][:rows], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"coverage_penalty_weight": 1.0}, "must be 0 for a cell that is no AttentionWrapper"),
        ({"cell": keras.layers.GRU(3)}, "Give its cell"),
        ({"embedding": "Embedding"}, "must be a Keras layer or None"),
    ],
)
def test_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        layers.BeamSearchDecoder(**{"cell": keras.layers.GRUCell(3), **arguments})


def test_memory_belongs_to_attention(rng):
    memory, _ = decoders.source(rng)
    embedding = keras.layers.Embedding(4, 2)
    start = ops.ones((3, 1), "int32")
    with pytest.raises(ValueError, match="`memory` must be given to an AttentionWrapper"):
        layers.BeamSearchDecoder(keras.layers.GRUCell(3), embedding)(start, memory)
    with pytest.raises(ValueError, match="`memory` must be given to an AttentionWrapper"):
        layers.BeamSearchDecoder(*decoders.parts(rng))(start)
