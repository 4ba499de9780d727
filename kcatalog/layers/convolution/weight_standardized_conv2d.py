import math
from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.convolution.convolution2d import Convolution2D
from kcatalog.ops.precision import at_least_float32
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Micro-Batch Training with Batch-Channel Normalization and Weight Standardization",
        "Qiao, Wang, Liu, Shen, Yuille",
        2019,
        "https://arxiv.org/abs/1903.10520",
        "equations 7 and 8",
    ),
    space={"scaled": Choice(False, True)},
    example=Example(
        {"filters": 4, "kernel_size": 3, "padding": "same", "scaled": True}, shape=(5, 4, 3)
    ),
)
class WeightStandardizedConv2D(Convolution2D):
    """Convolution whose kernel has mean 0 and variance 1 for each filter.

    Takes the place of `keras.layers.Conv2D` before group normalization, where it lets training on
    one or two images per device reach what batch normalization reaches on many. With
    `scaled=True` it replaces normalization altogether, as in normalizer-free networks. Does
    nothing useful before batch normalization on large batches.

    Maths:
        `y = x ∗ V + b`, with `V = (W - μ) / √(σ² + epsilon)` and `μ`, `σ²` the mean and variance
        of the `N` weights of a filter. With `scaled=True`, `V = g (W - μ) / √(N (σ² + epsilon))`
        with a learned gain `g` for each filter, which keeps the variance of `x` (Brock et al.
        2021).

    Args:
        scaled: True to divide by `√N` too and multiply by the gain `g`.
        epsilon: Added to the variance, a number in (0, inf).

    Behaviour:
        Training and inference are the same. Deterministic. Statistics are float32 or wider.
        `kernel` is the raw `W`. A kernel of one weight per filter becomes zero.

    Example:
        A filter of weights 0 to 8 has mean 4 and variance 60 / 9:

        >>> layer = WeightStandardizedConv2D(1, 3, kernel_initializer="zeros")
        >>> layer.build((None, 3, 3, 1))
        >>> _ = layer.kernel.assign(ops.reshape(ops.arange(9.0), (3, 3, 1, 1)))
        >>> x = ops.reshape(ops.eye(9)[8:], (1, 3, 3, 1))
        >>> print(f"{ops.convert_to_numpy(layer(x)).item():.4f}")
        1.5492
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = (1, 1),
        padding: str = "valid",
        *,
        scaled: bool = False,
        epsilon: float = 1e-6,
        **kwargs: Any,
    ):
        super().__init__(filters, kernel_size, strides, padding, **kwargs)
        self.scaled = checks.boolean(self, "scaled", scaled)
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, inf)")

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        if self.scaled:
            self._g = self.add_weight((self.filters,), "ones", name="gain")

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        """Convolve with the standardized kernel, where `keras.layers.Conv2D` takes the raw one."""
        return super().convolution_op(inputs, ops.cast(self._standardized(kernel), inputs.dtype))

    def _standardized(self, kernel):
        W = at_least_float32(kernel)
        centred = W - ops.mean(W, axis=(0, 1, 2), keepdims=True)
        variance = ops.mean(ops.square(centred), axis=(0, 1, 2), keepdims=True)
        V = centred * ops.rsqrt(variance + self.epsilon)
        if not self.scaled:
            return V
        N = math.prod(W.shape[:3])
        return ops.cast(self._g, V.dtype) * V / math.sqrt(N)

    def save_own_variables(self, store: dict[str, Any]) -> None:
        super().save_own_variables(store)  # Keras's own two only
        if self.scaled and self.built:
            store["gain"] = self._g

    def load_own_variables(self, store: dict[str, Any]) -> None:
        super().load_own_variables(store)
        if self.scaled and self.built:
            self._g.assign(store["gain"])
