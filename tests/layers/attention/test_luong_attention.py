import pytest

from kcatalog import layers
from tests.layers.attention import mechanisms


@pytest.mark.parametrize("monotonic", [None, "soft", "hard"])
@pytest.mark.parametrize("scale", [False, True])
def test_reference(rng, scale, monotonic):
    layer = layers.LuongAttention(4, scale=scale, monotonic=monotonic)
    mechanisms.check_reference(rng, layer, mechanisms.multiplicative)
