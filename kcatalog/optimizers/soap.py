import math
from typing import Any

import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Int, Paper
from kcatalog.ops.moments import one_minus_power
from kcatalog.optimizers.optimizer import Optimizer
from kcatalog.optimizers.wrappers.replicas import known
from kcatalog.registry import component
from kcatalog.types import LearningRate, Tensor


@component(
    paper=Paper(
        "SOAP: Improving and Stabilizing Shampoo using Adam",
        "Vyas, Morwani, Zhao, Shapira, Brandfonbrener, Janson, Kakade",
        2024,
        "https://arxiv.org/abs/2409.11321",
        "algorithms 3 and 4",
    ),
    equation="Adam in the eigenbasis of Shampoo: w ← w - η Q_L (M' / (√V + ε)) Q_Rᵀ",
    space={"learning_rate": Float(1e-4, 0.1, log=True), "refresh_period": Int(1, 100, log=True)},
    example=Example({"learning_rate": 0.05, "beta_1": 0.8, "refresh_period": 5, "max_size": 3}),
)
class SOAP(Optimizer):
    """SOAP: Adam in a slowly turning basis, in which the entries of a gradient are uncorrelated.

    Shampoo multiplies a gradient matrix from both sides by roots of its second moments. SOAP only
    turns it into their eigenbasis, runs Adam there and turns the step back. It needs fewer steps
    than AdamW, at more work per step. For matrices of up to some thousand rows and large batches;
    for layers that are small or for batches of a few samples AdamW is as good and cheaper.

    Maths:
        For a weight of two axes: `G' = Q_Lᵀ G Q_R`, `M ← β₁ M + (1 - β₁) G`, `M' = Q_Lᵀ M Q_R`,
        `V ← β₂ V + (1 - β₂) G'²`, `W ← W - η c Q_L (M' / (√V + ε)) Q_Rᵀ` with
        `c = √(1 - β₂ᵗ) / (1 - β₁ᵗ)`; then `L ← β₃ L + (1 - β₃) G Gᵀ`, `R` likewise of `Gᵀ G`, and
        every `k` steps `Q ← QR(L Q)`, a step of power iteration, for each. More axes have a matrix
        each.

    Args:
        beta_1: `β₁`, the decay of the mean of gradients, in [0, 1).
        beta_2: `β₂`, the decay of the mean of their squares, in [0, 1).
        basis_beta: `β₃`, the decay of `L` and `R`, in [0, 1), or None for `β₂`.
        epsilon: `ε`, added to the root, in (0, inf).
        refresh_period: `k`, in steps, in [1, inf).
        max_size: the longest axis that is turned, in [1, inf). Longer ones stay as they are.

    Shapes:
        Slots `M` and `V` of the weight's shape, and for its axes of size `n` the numbers of two
        `n × n` matrices.

    Behaviour:
        A weight's first step only starts its bases, from all eigenvectors, and does not move it:
        so do the authors. Weights with less than two axes take Adam's steps. A refresh costs one
        product and one QR decomposition for each axis, in float32 or float64, and is computed only
        when due. `ε` is not corrected for the start, as in Keras's Adam. A gradient of low rank
        leaves directions whose basis rounding chooses: paths on two machines may then differ.

    Example:
        Gradients in one direction only: the step is `η` in this direction, and not in each entry.
        An `ε` above what rounding leaves in other directions keeps them still:

        >>> import keras
        >>> w = keras.Variable([[0.0, 0.0], [0.0, 0.0]])
        >>> optimizer = SOAP(0.1, epsilon=1e-3)
        >>> for _ in range(2):
        ...     optimizer.apply([keras.ops.array([[3.0, 4.0], [0.0, 0.0]])], [w])
        >>> print(keras.ops.convert_to_numpy(w.value)[0].round(2))
        [-0.06 -0.08]
    """

    elementwise = False

    def __init__(
        self,
        learning_rate: LearningRate = 0.003,
        beta_1: float = 0.95,
        beta_2: float = 0.95,
        basis_beta: float | None = None,
        epsilon: float = 1e-8,
        refresh_period: int = 10,
        max_size: int = 2048,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = checks.number(self, "beta_1", beta_1, "[0, 1)")
        self.beta_2 = checks.number(self, "beta_2", beta_2, "[0, 1)")
        self.basis_beta = checks.number(self, "basis_beta", basis_beta, "[0, 1)", optional=True)
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, inf)")
        self.refresh_period = checks.integer(self, "refresh_period", refresh_period, "[1, inf)")
        self.max_size = checks.integer(self, "max_size", max_size, "[1, inf)")
        self.slots = {"m": 0.0, "v": 0.0, "moments": self._size_of, "bases": self._size_of}
        self.slots["started"] = "scalar"

    def shared(self, t: Tensor) -> dict[str, Any]:
        taken = ops.where(t > 1, t - 1, t)  # the first step is none
        c1, c2 = one_minus_power(self.beta_1, taken), one_minus_power(self.beta_2, taken)
        return {"c": ops.sqrt(c2) / c1}

    def update(self, w, g, m, v, moments, bases, started, lr, t, c):
        L, Q = self._matrices(moments, w.shape), self._matrices(bases, w.shape)
        first, started = started < 0.5, ops.ones_like(started)
        new_m = self.beta_1 * m + (1 - self.beta_1) * g
        new_v = self.beta_2 * v + (1 - self.beta_2) * ops.square(_turn(g, Q, 0))
        step = _turn(_turn(new_m, Q, 0) / (ops.sqrt(new_v) + self.epsilon), Q, 1)
        w, m = ops.where(first, w, w - lr * c * step), ops.where(first, m, new_m)
        v = ops.where(first, v, new_v)
        if all(each is None for each in L):
            return w, m, v, moments, bases, started
        b = self.beta_2 if self.basis_beta is None else self.basis_beta
        L = [each if each is None else b * each + (1 - b) * _gram(g, i) for i, each in enumerate(L)]
        due = ops.equal(ops.mod(t - 1, self.refresh_period), 0)
        v, bases = _if(
            first,
            lambda: (v, _flat([each if each is None else _eigenvectors(each) for each in L])),
            lambda: _if(due, lambda: _refresh(v, L, Q), lambda: (v, bases)),
        )
        return w, m, v, _flat(L), bases, started

    def _turned(self, shape):
        """Return the sizes of the axes, with 0 for those that are not turned."""
        return [n if len(shape) > 1 and n <= self.max_size else 0 for n in shape]

    def _size_of(self, shape):
        return (sum(n * n for n in self._turned(shape)),)

    def _matrices(self, numbers, shape):
        """Return the matrix of each axis out of the slot that holds all of them, or None."""
        sizes = self._turned(shape)
        ends = np.cumsum([n * n for n in sizes])
        return [
            ops.reshape(numbers[end - n * n : end], (n, n)) if n else None
            for n, end in zip(sizes, map(int, ends), strict=True)
        ]


def _flat(matrices):
    return ops.concatenate([ops.reshape(each, (-1,)) for each in matrices if each is not None])


# Products of tensors by `@`: on PyTorch, `ops.matmul` rounds float64 to float32.


def _turn(x, Q, side):
    """Multiply each axis by `Qᵀ` (side 0) or by `Q` (side 1). Axes come round to their places."""
    for each in Q:
        n, *rest = x.shape
        rows = ops.transpose(ops.reshape(x, (n, math.prod(rest))))
        if each is not None:
            rows = rows @ (ops.transpose(each) if side else each)
        x = ops.reshape(rows, (*rest, n))
    return x


def _gram(g, axis):
    rows = ops.reshape(
        ops.moveaxis(g, axis, 0), (g.shape[axis], math.prod(g.shape) // g.shape[axis])
    )
    return rows @ ops.transpose(rows)


def _eigenvectors(L):
    finite = ops.all(ops.isfinite(L))  # decompositions raise for a NaN
    _, Q = ops.eigh(ops.where(finite, L, ops.eye(L.shape[0], dtype=L.dtype)))
    return ops.flip(Q, axis=1)


def _refresh(v, L, Q):
    """Take a step of power iteration; the largest eigenvalues come first, and `v` follows."""
    new = []
    for axis, (each, q) in enumerate(zip(L, Q, strict=True)):
        if each is None:
            continue
        product = each @ q
        order = ops.argsort(-ops.sum(q * product, axis=0))
        v = ops.take(v, order, axis=axis)
        new.append(ops.qr(ops.take(product, order, axis=1))[0])
    return v, _flat(new)


def _if(condition, yes, no):
    """Return one of two results. JAX compiles a condition in every call, unless it is traced."""
    value = known(condition)
    if value is None:
        return ops.cond(condition, yes, no)
    return yes() if value else no()
