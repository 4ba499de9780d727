import numpy as np
import pytest
from keras import ops

from kcatalog import layers


def reference(x, m, shift, heads, w):
    """Section 3.2 of Liu et al. for one image, one query after another."""
    height, width, channels = x.shape
    d = channels // heads
    y = np.tile(w["attention_output/bias"], (height, width, 1)).astype("float64")
    pixels = [(i, j) for i in range(height) for j in range(width)]
    for i, j in pixels:
        window = [
            (a, b)
            for a, b in pixels
            if all((p - shift) // m == (q - shift) // m for p, q in ((a, i), (b, j)))
        ]
        for h in range(heads):
            q, k, v = (
                {at: x[at] @ w[f"{part}/kernel"][:, h] + w[f"{part}/bias"][h] for at in window}
                for part in ("query", "key", "value")
            )
            differences = [(i - a + m - 1) * (2 * m - 1) + j - b + m - 1 for a, b in window]
            scores = [
                q[i, j] @ k[at] / np.sqrt(d) + w["position_bias"][difference, h]
                for at, difference in zip(window, differences, strict=True)
            ]
            e = np.exp(scores)
            mean = sum(p * v[at] for p, at in zip(e / e.sum(), window, strict=True))
            y[i, j] += mean @ w["attention_output/kernel"][h]
    return y


@pytest.mark.parametrize(("shape", "m", "shift"), [((4, 6), 2, 0), ((4, 4), 4, 2), ((5, 7), 3, 1)])
def test_reference(rng, shape, m, shift):
    x = rng.normal(size=(2, *shape, 4)).astype("float32")
    layer = layers.WindowAttention(2, m, shift)
    layer.build(x.shape)
    weights = {}
    for v in layer.weights:
        name = "/".join(v.path.split("/")[1:]).removeprefix("attention/")
        weights[name] = a = rng.normal(size=v.shape).astype("float32")
        v.assign(a)
    y = ops.convert_to_numpy(layer(x))
    for image, ours in zip(x, y, strict=True):
        wanted = reference(image, m, shift, 2, weights)
        np.testing.assert_allclose(ours, wanted, rtol=1e-3, atol=1e-4)


def test_shift_must_be_less_than_the_window():
    with pytest.raises(ValueError, match="`shift_size` must be less than window_size=3"):
        layers.WindowAttention(1, 3, 3)
