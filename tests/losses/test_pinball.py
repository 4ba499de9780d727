import keras
import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden


def reference(y, q, taus):
    """Koenker and Bassett's weighted distances, one output at a time."""
    each = []
    for row, guesses in zip(y, q.astype("float64"), strict=True):
        total = 0.0
        for value, guess, tau in zip(row, guesses, taus, strict=True):
            total += tau * (value - guess) if value >= guess else (1 - tau) * (guess - value)
        each.append(total / len(taus))
    return each


@pytest.mark.parametrize("tau", [0.3, 1, [0.1, 0.5, 0.9]])
def test_reference(rng, tau):
    y, q = rng.normal(size=(2, 20, 3)).astype("float32")
    each = as_numpy(losses.Pinball(tau, reduction=None)(y, q))
    taus = tau if isinstance(tau, list) else [tau] * 3
    np.testing.assert_allclose(each, reference(y, q, taus), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["one", "each"])
def test_golden(name):
    peer = golden("tfa_pinball")
    tau, y = peer[f"{name}_tau"].tolist(), peer["y_true"]
    each = losses.Pinball(tau, reduction=None)(y, peer["y_pred"])
    np.testing.assert_allclose(as_numpy(each), peer[f"{name}_loss"], rtol=1e-5, atol=1e-6)
    total = losses.Pinball(tau, reduction="sum")
    _, (gradient,) = value_and_gradients(lambda q: total(y, q), [peer["y_pred"]])
    np.testing.assert_allclose(gradient, peer[f"{name}_gradient"], atol=1e-6)


def test_one_target_for_all_quantiles(rng):
    y, q = rng.normal(size=(8, 1)).astype("float32"), rng.normal(size=(8, 2)).astype("float32")
    loss = losses.Pinball([0.1, 0.9])
    values = [float(loss(t, q)) for t in (y, y[:, 0], np.repeat(y, 2, axis=1))]
    np.testing.assert_allclose(values, values[0], rtol=1e-6)


def test_the_minimizer_is_the_quantile():
    y = np.arange(1.0, 101.0, dtype="float32")
    risk = [float(losses.Pinball(0.9)(y, np.full(100, q, "float32"))) for q in range(80, 100)]
    assert 80 + int(np.argmin(risk)) in (90, 91)
    half = keras.losses.MeanAbsoluteError()(y[:, None], np.full((100, 1), 7.0))
    ours = losses.Pinball()(y, np.full(100, 7.0))
    np.testing.assert_allclose(float(ours), float(half) / 2, rtol=1e-6)


def test_bad_quantiles():
    with pytest.raises(ValueError, match=r"Pinball: `tau` must be a list of numbers in \[0, 1\]"):
        losses.Pinball([0.5, 1.5])
    with pytest.raises(ValueError, match=r"Pinball: `y_pred` must be .* one for each tau"):
        losses.Pinball([0.1, 0.9])(np.ones((4, 1)), np.ones((4, 3)))
