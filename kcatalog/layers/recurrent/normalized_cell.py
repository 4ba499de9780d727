"""The base of layer-normalized cells: sums over inputs and states, each standardized."""

from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.layers.recurrent.recurrent_cell import RecurrentCell
from kcatalog.types import KerasObject, Tensor


class NormalizedOptions:
    """Arguments of layer normalization.

    Args:
        gamma_initializer: Initializer of the scales `γ`.
        epsilon: Added to the variance, a number in (0, inf).
    """

    def __init__(
        self, *, gamma_initializer: KerasObject = "ones", epsilon: float = 1e-3, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.gamma_initializer = checks.initializer(self, "gamma_initializer", gamma_initializer)
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, inf)")


class NormalizedCell(RecurrentCell):
    """Base of cells that normalize `W x` and `U h`, each over all kernels together.

    A step finds both in `p`, as `p.of_x(x)` and `p.of_h(h)`. A cell standardizes the sums. Over a
    whole sequence there is a shorter way: with `W` centred over its `n` columns,
    `LN(W x) = γ W x / √(x G x + epsilon)` for `G = W Wᵀ / n`. So to normalize the sums is to
    rescale `x`, all steps of it at once, and the same goes for `U` and `h`.
    """

    def add_weights(self, features: int) -> None:
        super().add_weights(features)
        width = self.kernels * self.units
        self._γ1 = self.add_weight((width,), self.gamma_initializer, name="kernel_gamma")
        self._γ2 = self.add_weight((width,), self.gamma_initializer, name="recurrent_gamma")

    def tensors(self) -> Any:
        p = super().tensors()
        γ1, γ2 = self.cast(self._γ1), self.cast(self._γ2)
        p.of_x = lambda x: γ1 * standardized(ops.matmul(x, p.W), self.epsilon)
        p.of_h = lambda h: γ2 * standardized(ops.matmul(h, p.U), self.epsilon)
        p.rescaled = lambda x: x
        return p

    def sequence_tensors(self) -> Any:
        p = self.tensors()
        W, U = _centred(p.W), _centred(p.U)
        γW, γU = self.cast(self._γ1) * W, self.cast(self._γ2) * U
        x_square, h_square = _mean_square(W), _mean_square(U)
        p.rescaled = lambda x: self._divided(x, x_square)
        p.of_x = lambda x: ops.matmul(x, γW)
        p.of_h = lambda h: ops.matmul(self._divided(h, h_square), γU)
        return p

    def inputs(self, x: Tensor, p: Tensor) -> Tensor:
        return p.rescaled(x)

    def _divided(self, a, mean_square):
        """Return `a / √(mean square of W a + epsilon)`."""
        wide = ops.cast(a, keras.backend.result_type(a.dtype, "float32"))
        return ops.cast(wide * ops.rsqrt(mean_square(wide) + self.epsilon), a.dtype)


def standardized(a: Tensor, epsilon: float) -> Tensor:
    """Return `(a - mean(a)) / √(var(a) + epsilon)` over the last axis, in float32 or wider."""
    wide = ops.cast(a, keras.backend.result_type(a.dtype, "float32"))
    centred = wide - ops.mean(wide, axis=-1, keepdims=True)
    variance = ops.mean(centred * centred, axis=-1, keepdims=True)
    return ops.cast(centred * ops.rsqrt(variance + epsilon), a.dtype)


def _centred(W):
    return W - ops.mean(W, axis=-1, keepdims=True)


def _mean_square(W):
    """Return a function of `a`: the mean square of `a W`, through `W Wᵀ` where that is smaller."""
    W = ops.cast(W, keras.backend.result_type(W.dtype, "float32"))
    if W.shape[0] > W.shape[1]:
        return lambda a: ops.mean(ops.square(ops.matmul(a, W)), axis=-1, keepdims=True)
    G = ops.matmul(W, ops.transpose(W)) / W.shape[1]
    return lambda a: ops.sum(ops.matmul(a, G) * a, axis=-1, keepdims=True)
