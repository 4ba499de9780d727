from kcatalog import layers
from tests.layers.recurrent.by_loops import expect_golden, expect_loops
from tests.layers.recurrent.test_peephole_lstm_cell import peer_weights, step


def test_reference(rng):
    expect_loops(layers.PeepholeLSTM(4, return_sequences=True), step, [4, 4], rng)


def test_golden():
    expect_golden(layers.PeepholeLSTM(4, return_sequences=True), "peephole", peer_weights)
