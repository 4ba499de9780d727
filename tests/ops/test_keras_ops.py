"""Keras's own operations that parts rely on, each against NumPy.

`keras.ops.sparsemax` of Keras 3.15.1 is wrong on every backend, so none is taken on trust. A part
that begins to use another operation has to add it here.
"""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import kcatalog
from kcatalog.conformance.backend import as_numpy

PACKAGE = Path(kcatalog.__file__).parent
KINDS = ("losses", "metrics", "layers", "ops", "optimizers", "regularizers", "constraints")
INF = float("inf")
X = np.array([[0.5, 1.0, -3.0], [2.0, 2.0, -0.5]], "float32")
P = np.array([[0.25, 4.0], [1.0, 0.5]], "float32")
B = np.array([[True, False], [True, True]])
I = np.array([5, 3, 3, 0, 9], "int32")  # noqa: E741 - whole numbers with a tie


def unary(names, x, **theirs):
    return {n: (lambda o, n=n: getattr(o, n)(x), getattr(np, theirs.get(n, n))(x)) for n in names}


def binary(names, x, y, **theirs):
    return {
        n: (lambda o, n=n: getattr(o, n)(x, y), getattr(np, theirs.get(n, n))(x, y)) for n in names
    }


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def max_pool(x):  # (batch, steps, 1), windows of 2
    return np.maximum(x[:, :-1], x[:, 1:])


def depthwise(x, k):  # (batch, steps, channels) with (width, channels, 1)
    return np.stack([(x[:, i : i + len(k)] * k[None, :, :, 0]).sum(1) for i in range(2)], 1)


def average_pool(x):
    return (x[:, :-1] + x[:, 1:]) / 2


def conv(x, k):  # (batch, steps, channels) with (width, channels, filters)
    return np.stack([np.einsum("bwc,wcf->bf", x[:, i : i + len(k)], k) for i in range(2)], 1)


def rebuilt(values, vectors):
    return ops.matmul(vectors * values, ops.transpose(vectors))


def product_of(u, s, vt):
    return ops.matmul(u * s, vt)


def doubled(x):
    return 2 * x, lambda *gradient: 2 * gradient[-1]


SEQUENCE = np.arange(6, dtype="float32").reshape(1, 3, 2) ** 2
KERNEL = np.array([[[1.0], [2.0]], [[-1.0], [0.5]]], "float32")
FILTERS = np.arange(12, dtype="float32").reshape(2, 2, 3) - 4
HEADS = np.arange(6, dtype="float32").reshape(1, 3, 1, 2)

CASES = {  # name -> what Keras computes, and what it is
    **unary(
        ["abs", "exp", "expm1", "floor", "ceil", "trunc", "square", "ones_like", "zeros_like"], X
    ),
    **unary(["sign", "sin", "cos", "tanh"], X),
    **unary(["isnan", "isfinite"], np.array([np.nan, INF, -INF, 0.0], "float32")),
    **unary(["log", "log1p", "log2", "sqrt"], P),
    **unary(["logical_not"], B),
    **unary(["diagonal", "triu"], np.arange(9.0, dtype="float32").reshape(3, 3)),
    **unary(["transpose", "copy", "array"], X, array="asarray"),
    **unary(["argmax", "argmin"], I),  # the first of equal ones
    **binary(["maximum", "minimum", "add", "equal", "not_equal"], X, X[::-1].copy()),
    **binary(["less", "less_equal"], X, X[::-1].copy()),
    **binary(["logical_and", "logical_or"], B, ~B),
    **binary(["mod", "floor_divide"], np.array([-5, 5, 7], "int32"), np.array([3, -3, 7], "int32")),
    **binary(
        ["left_shift", "right_shift", "bitwise_xor", "bitwise_and"],
        I,
        np.array([1, 2, 0, 3, 1], "int32"),
    ),
    **binary(["matmul"], X, X.T.copy()),
    **binary(["outer"], X[0], X[1]),
    **binary(["power"], P, P),
    **binary(["arctan2"], X[0], X[1]),
    "einsum": (lambda o: o.einsum("ij,kj->ik", X, X), X @ X.T),
    "sum": (lambda o: o.sum(X, axis=1, keepdims=True), X.sum(1, keepdims=True)),
    "mean": (lambda o: o.mean(X, axis=(0, 1)), X.mean()),
    "median": (lambda o: o.median(X, axis=0), np.median(X, axis=0)),
    "std": (lambda o: o.std(X, axis=0), X.std(0)),
    "prod": (lambda o: o.prod(X, axis=0), X.prod(0)),
    "max": (lambda o: o.max(X, axis=-1), X.max(-1)),
    "min": (lambda o: o.min(X, axis=0), X.min(0)),
    "any": (lambda o: o.any(B, axis=0), B.any(0)),
    "all": (lambda o: o.all(B, axis=-1), B.all(-1)),
    "cumsum": (lambda o: o.cumsum(X, axis=1), X.cumsum(1)),
    "cumprod": (lambda o: o.cumprod(X, axis=-1), X.cumprod(-1)),
    "clip": (lambda o: o.clip(X, -1.0, 1.0), X.clip(-1, 1)),
    "relu": (lambda o: o.relu(X), np.maximum(X, 0)),
    "sigmoid": (lambda o: o.sigmoid(X), 1 / (1 + np.exp(-X))),
    "log_sigmoid": (lambda o: o.log_sigmoid(-1e4 * P), -1e4 * P),
    "softplus": (lambda o: o.softplus(1e4 * X), np.maximum(1e4 * X, 0)),
    "rsqrt": (lambda o: o.rsqrt(P), P**-0.5),
    "softmax": (lambda o: o.softmax(1e4 * X), softmax(1e4 * X)),
    "log_softmax": (lambda o: o.log_softmax(X), np.log(softmax(X))),
    "logsumexp": (
        lambda o: o.logsumexp(np.array([1e4, 1e4, -INF], "float32")),
        1e4 + np.log(2),
    ),
    "divide_no_nan": (
        lambda o: o.divide_no_nan(X, np.array([0.0, 2, 0], "float32")),
        X * [0, 0.5, 0],
    ),
    "where": (lambda o: o.where(X > 0, X, -1.0), np.where(X > 0, X, -1)),
    "sort": (lambda o: o.sort(X, axis=-1), np.sort(X, -1)),
    "argsort": (lambda o: o.argsort(I), np.argsort(I, kind="stable")),
    "top_k": (lambda o: o.top_k(X, 2)[0], np.sort(X, -1)[:, :0:-1]),
    "take": (lambda o: o.take(X, np.array([[2, 0]]), axis=1), X[:, [[2, 0]]]),
    "take_along_axis": (
        lambda o: o.take_along_axis(X, np.array([[2], [0]]), axis=1),
        np.take_along_axis(X, np.array([[2], [0]]), 1),
    ),
    "one_hot": (lambda o: o.one_hot(np.array([1, 0]), 3), np.eye(3)[[1, 0]]),
    "segment_sum": (
        lambda o: o.segment_sum(X[:, 0], np.array([2, 2], "int32"), num_segments=4),
        [0, 0, 2.5, 0],
    ),
    "segment_max": (
        lambda o: o.segment_max(X[:, 0], np.array([1, 1], "int32"), num_segments=2)[1],
        2,
    ),
    "arange": (lambda o: o.arange(1, 4, dtype="float32"), np.arange(1, 4)),
    "eye": (lambda o: o.eye(3), np.eye(3)),
    "ones": (lambda o: o.ones((2, 1)), np.ones((2, 1))),
    "zeros": (lambda o: o.zeros((2, 1)), np.zeros((2, 1))),
    "full": (lambda o: o.full((2,), INF), np.full(2, INF)),
    "cast": (lambda o: o.cast(X, "int32"), X.astype(int)),
    "reshape": (lambda o: o.reshape(X, (3, -1)), X.reshape(3, 2)),
    "squeeze": (lambda o: o.squeeze(X[:, None], 1), X),
    "expand_dims": (lambda o: o.expand_dims(X, -2), X[:, None]),
    "moveaxis": (lambda o: o.moveaxis(X, 0, -1), X.T),
    "flip": (lambda o: o.flip(X, axis=-1), X[:, ::-1]),
    "roll": (lambda o: o.roll(X, -1, axis=0), X[::-1]),
    "repeat": (lambda o: o.repeat(X, 2, axis=0), np.repeat(X, 2, 0)),
    "broadcast_to": (lambda o: o.broadcast_to(X[:1], (2, 3)), X[[0, 0]]),
    "concatenate": (lambda o: o.concatenate([X, X], axis=1), np.hstack([X, X])),
    "stack": (lambda o: o.stack([X, X], axis=1), np.stack([X, X], 1)),
    "split": (lambda o: o.split(X, [1], axis=1)[1], X[:, 1:]),
    "pad": (lambda o: o.pad(X, ((0, 0), (1, 0)), constant_values=7), np.insert(X, 0, 7, 1)),
    "shape": (lambda o: o.convert_to_tensor(o.shape(o.convert_to_tensor(X))), [2, 3]),
    "full_like": (lambda o: o.full_like(X, 7.0), np.full((2, 3), 7.0)),
    "meshgrid": (
        lambda o: o.meshgrid(X[0], X[1], indexing="ij")[0],
        np.repeat(X[0, :, None], 3, 1),
    ),
    "switch": (lambda o: o.switch(1, [lambda: o.zeros(()), lambda: o.ones(())]), 1),
    "slice_update": (
        lambda o: o.slice_update(X, [0, 1], np.ones((2, 1), "float32")),
        np.where([False, True, False], 1, X),
    ),
    "while_loop": (
        lambda o: o.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2), (0, P))[1],
        8 * P,
    ),
    "fori_loop": (lambda o: o.fori_loop(0, 3, lambda i, x: x * 2, o.convert_to_tensor(P)), 8 * P),
    "cond": (
        lambda o: o.cond(o.convert_to_tensor(True), lambda: o.ones(()), lambda: o.zeros(())),
        1,
    ),
    "is_tensor": (lambda o: o.convert_to_tensor([o.is_tensor(o.ones(1)), o.is_tensor(X)]), [1, 0]),
    "convert_to_numpy": (lambda o: o.convert_to_numpy(o.convert_to_tensor(X)), X),
    "convert_to_tensor": (lambda o: o.convert_to_tensor(X.tolist()), X),
    "stop_gradient": (lambda o: o.stop_gradient(o.convert_to_tensor(X)), X),
    "max_pool": (lambda o: o.max_pool(SEQUENCE, 2, 1, "valid"), max_pool(SEQUENCE)),
    "average_pool": (lambda o: o.average_pool(SEQUENCE, 2, 1, "valid"), average_pool(SEQUENCE)),
    "conv": (lambda o: o.conv(SEQUENCE, FILTERS), conv(SEQUENCE, FILTERS)),
    "dot_product_attention": (
        lambda o: o.dot_product_attention(SEQUENCE[:, :, None], SEQUENCE[:, :, None], HEADS)[
            :, :, 0
        ],
        softmax(SEQUENCE @ SEQUENCE.transpose(0, 2, 1) / np.sqrt(2)) @ HEADS[:, :, 0],
    ),
    "map": (lambda o: o.map(lambda x: 2 * x, o.convert_to_tensor(X)), 2 * X),
    "norm": (lambda o: o.norm(X), np.sqrt((X**2).sum())),
    "scatter": (lambda o: o.scatter(np.array([[2], [0]]), X[:, 0], (4,)), [2, 0, 0.5, 0]),
    "slice": (lambda o: o.slice(o.convert_to_tensor(X), (0, 1), (2, 2)), X[:, 1:]),
    "swapaxes": (lambda o: o.swapaxes(X, 0, 1), X.T),
    "tile": (lambda o: o.tile(X, (2, 1)), np.concatenate([X, X])),
    "unstack": (lambda o: o.unstack(o.convert_to_tensor(X))[1], X[1]),
    "erfinv": (lambda o: o.erf(o.erfinv(0.3 * X)), 0.3 * X),
    "size": (lambda o: o.convert_to_tensor(o.size(o.convert_to_tensor(X))), 6),
    "trace": (lambda o: o.trace(X @ X.T), np.trace(X @ X.T)),
    # of matrices: what the factors make, since their signs are free
    "eigh": (lambda o: rebuilt(*o.eigh(X @ X.T)), X @ X.T),
    "qr": (lambda o: o.matmul(*o.qr(X)), X),
    "svd": (lambda o: product_of(*o.svd(X, full_matrices=False)), X),
    "custom_gradient": (lambda o: o.custom_gradient(doubled)(o.convert_to_tensor(X)), 2 * X),
    "depthwise_conv": (lambda o: o.depthwise_conv(SEQUENCE, KERNEL), depthwise(SEQUENCE, KERNEL)),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_operation(name):
    compute, expected = CASES[name]
    found = as_numpy(compute(ops)).astype("float64")
    np.testing.assert_allclose(found, np.asarray(expected, "float64"), rtol=1e-5, atol=1e-6)


def test_every_operation_in_use_is_tried():
    used = set()
    for kind in KINDS:
        for path in (PACKAGE / kind).rglob("*.py"):
            used |= set(re.findall(r"(?<![\w.])ops\.([a-z_0-9]+)", path.read_text("utf-8")))
    theirs = {n for n in used if callable(getattr(keras.ops, n, None))} - set(vars(kcatalog.ops))
    assert sorted(theirs - set(CASES)) == []


def test_sparsemax_is_ours():
    z = np.random.default_rng(0).normal(size=(50, 6)).astype("float32")
    found = as_numpy(kcatalog.ops.sparsemax(z, axis=0))
    np.testing.assert_allclose(found.sum(0), 1, rtol=1e-5)
    for column, p in zip(z.T, found.T, strict=True):  # Martins and Astudillo 2016, algorithm 1
        u = np.sort(column)[::-1]
        k = max(j for j in range(1, 51) if 1 + j * u[j - 1] > u[:j].sum())
        np.testing.assert_allclose(p, np.maximum(column - (u[:k].sum() - 1) / k, 0), atol=1e-6)
