from kcatalog import layers
from tests.layers.recurrent.by_loops import expect_golden, expect_loops
from tests.layers.recurrent.test_layer_norm_simple_rnn_cell import peer_weights, step


def test_reference(rng):
    expect_loops(layers.LayerNormSimpleRNN(4, return_sequences=True), step, [4], rng)


def test_golden():
    expect_golden(layers.LayerNormSimpleRNN(4, return_sequences=True), "simple", peer_weights)
