from kcatalog import layers
from tests.layers.recurrent.by_loops import expect_loops
from tests.layers.recurrent.test_ind_rnn_cell import step


def test_reference(rng):
    expect_loops(layers.IndRNN(4, return_sequences=True), step, [4], rng)
