from kcatalog import layers
from tests.layers.recurrent.by_loops import expect_golden, expect_loops
from tests.layers.recurrent.test_echo_state_cell import peer_weights, step


def test_reference(rng):
    expect_loops(layers.EchoState(4, leaky=0.7, return_sequences=True), step, [4], rng)


def test_golden():
    expect_golden(layers.EchoState(4, leaky=0.7, return_sequences=True), "esn", peer_weights)
