import sys

import numpy as np
import pytest
from keras import ops

from kcatalog.conformance import backend
from kcatalog.ops.linear_recurrence import linear_recurrence

module = sys.modules["kcatalog.ops.linear_recurrence"]  # the function has its name

WAYS = ("in turn", "in blocks")


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    monkeypatch.setattr(module, "wants_few_operations", lambda x: request.param == "in blocks")
    monkeypatch.setattr(module, "BLOCK", 3)  # 11 steps are blocks of blocks
    return request.param


def loop(a, b, initial, reverse=False):
    """One step after the other; complex numbers as NumPy has them."""
    h, out = initial, np.zeros_like(b)
    for t in reversed(range(b.shape[1])) if reverse else range(b.shape[1]):
        h = a[:, t] * h + b[:, t]
        out[:, t] = h
    return out


def gradients_of_loop(a, b, initial, dh, reverse=False):
    """Backpropagation through the loop, step by step."""
    h = loop(a, b, initial, reverse)
    da, db, g = np.zeros_like(a), np.zeros_like(b), np.zeros_like(initial)
    order = list(range(b.shape[1]))
    order = order[::-1] if reverse else order
    for i in reversed(range(len(order))):
        t = order[i]
        g = g + dh[:, t]
        before = h[:, order[i - 1]] if i else initial
        da[:, t], db[:, t] = g * np.conj(before), g
        g = g * np.conj(a[:, t])
    return da, db, g


def drawn(rng, steps, pair):
    """Factors within the unit circle, some of them 0."""
    shapes = [(2, steps, 3), (2, steps, 3), (2, 3), (2, steps, 3)]
    a, b, initial, dh = (rng.normal(size=s) for s in shapes)
    a = np.where(rng.uniform(size=a.shape) < 0.2, 0, 1 / (1 + np.exp(-a)))
    if pair:
        b, initial, dh = (x + 1j * rng.normal(size=x.shape) for x in (b, initial, dh))
        a = a * np.exp(1j * rng.normal(size=a.shape))
    return a, b, initial, dh


def parts(x):
    return [x.real, x.imag] if np.iscomplexobj(x) else [x]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize("steps", [1, 11])
def test_reference_value_and_gradients(rng, way, steps, pair, reverse):
    a, b, initial, dh = drawn(rng, steps, pair)
    n = 1 + pair

    def total(*xs):
        groups = [xs[i * n : (i + 1) * n] for i in range(4)]
        h = linear_recurrence(*(groups[:3] if pair else (g[0] for g in groups[:3])), reverse)
        h = h if pair else [h]
        return sum(ops.sum(v * w) for v, w in zip(h, groups[3], strict=True))

    arrays = [p for x in (a, b, initial, dh) for p in parts(x)]
    with backend.float64():
        _, found = backend.value_and_gradients(total, arrays)
    h = loop(a, b, initial, reverse)
    expected = [p for x in (*gradients_of_loop(a, b, initial, dh, reverse), h) for p in parts(x)]
    for value, wanted in zip(found, expected, strict=True):  # the last ones: d total / d dh = h
        np.testing.assert_allclose(value, wanted, rtol=1e-9, atol=1e-12)


def test_gradient_of_the_gradient(rng, way):
    """The backward recurrence is one of these functions and has a gradient itself."""
    a, b, initial, dh = drawn(rng, 5, False)
    step = 1e-6

    def slope(a):
        def total(a, b, dh):
            return ops.sum(linear_recurrence(a, b, initial) * dh)

        return backend.value_and_gradients(total, [a, b, dh])[1][0]

    with backend.float64():
        quotient = (slope(a + step * b) - slope(a - step * b)) / (2 * step)
        if backend.NAME == "jax":
            import jax

            found = jax.grad(
                lambda x: ops.sum(
                    jax.grad(lambda a: ops.sum(linear_recurrence(a, b, initial) * dh))(x) * b
                )
            )(ops.convert_to_tensor(a))
        elif backend.NAME == "tensorflow":
            import tensorflow as tf

            x = tf.constant(a)
            with tf.GradientTape() as outer:
                outer.watch(x)
                with tf.GradientTape() as inner:
                    inner.watch(x)
                    y = tf.reduce_sum(linear_recurrence(x, tf.constant(b), initial) * dh)
                z = tf.reduce_sum(inner.gradient(y, x) * b)
            found = outer.gradient(z, x)
        else:
            import torch

            x, b_, dh_ = (ops.convert_to_tensor(v) for v in (a, b, dh))
            x.requires_grad_(True)
            y = torch.sum(linear_recurrence(x, b_, initial) * dh_)
            (first,) = torch.autograd.grad(y, x, create_graph=True)
            (found,) = torch.autograd.grad(torch.sum(first * b_), x)
    # its gradient is the derivative of the gradient along b
    np.testing.assert_allclose(backend.as_numpy(found), quotient, rtol=1e-5, atol=1e-7)


def test_thousands_of_steps(monkeypatch):
    """Neither a product of 8192 factors nor a sum over as many steps goes wrong."""
    monkeypatch.setattr(module, "wants_few_operations", lambda x: True)
    a = np.stack([np.zeros(8192), np.full(8192, 0.5), np.ones(8192)], -1)[None].astype("float32")
    b = np.ones_like(a)
    value, (da, db) = backend.value_and_gradients(
        lambda a, b: ops.sum(linear_recurrence(a, b)[:, -1]), [a, b]
    )
    assert value == 1 + 2 + 8192
    np.testing.assert_array_equal(da[0, -1], [1, 2, 8191])  # h[t-1]
    np.testing.assert_array_equal(da[0, 1], [0, 0, 1])
    np.testing.assert_array_equal(db[0, 0], [0, 0, 1])


@pytest.mark.skipif(not backend.COMPILES, reason="PyTorch runs eagerly")
@pytest.mark.parametrize("mode", backend.MODES)
def test_compiled(rng, way, mode):
    a, b, initial, dh = (x.astype("float32") for x in drawn(rng, 11, False))

    def total(a):
        return ops.sum(linear_recurrence(a, b, initial) * dh)

    value, gradient = backend.compiled_value_and_gradient(total, a, xla=mode == "xla")
    expected, _, _ = gradients_of_loop(a, b, initial, dh)
    np.testing.assert_allclose(value, (loop(a, b, initial) * dh).sum(), rtol=1e-5)
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.tensorflow
def test_unknown_batch_and_length(rng, way):
    import tensorflow as tf

    function = tf.function(linear_recurrence, input_signature=[tf.TensorSpec((None, None, 3))] * 2)
    for batch, steps in ((2, 11), (1, 1), (0, 4)):
        a, b = (rng.normal(size=(batch, steps, 3)).astype("float32") for _ in range(2))
        expected = loop(a, b, np.zeros((batch, 3), "float32"))
        np.testing.assert_allclose(function(a, b), expected, rtol=1e-4, atol=1e-5)


def test_half_precision_is_summed_in_single():
    """1 + 2048 times 1 is more than float16 can count to."""
    ones = ops.ones((1, 2050, 1), "float16")
    assert float(linear_recurrence(ones, ones * 0.25)[0, -1, 0]) == 512.5
