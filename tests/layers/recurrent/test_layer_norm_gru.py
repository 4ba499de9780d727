import pytest

from kcatalog import layers
from tests.layers.recurrent.by_loops import expect_loops
from tests.layers.recurrent.test_layer_norm_gru_cell import step


@pytest.mark.parametrize("units", [4, 2, 1])
def test_reference(rng, units):
    """More gates than units and features, and fewer: two ways to the same statistics."""
    expect_loops(layers.LayerNormGRU(units, return_sequences=True), step, [units], rng)
