from typing import Any

from keras import ops

from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.pooling.blur_pooling import BlurPooling
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Making Convolutional Networks Shift-Invariant Again",
        "Zhang",
        2019,
        "https://arxiv.org/abs/1904.11486",
        "section 3.2",
    ),
    equation="y = (x ∗ k) at every strides-th step,  k = binomial coefficients / 2ⁿ⁻¹",
    space={"kernel_size": Choice(2, 3, 5), "strides": Choice(1, 2)},
    example=Example({"kernel_size": 5}, shape=(8, 3)),
)
class BlurPooling1D(BlurPooling):
    """Anti-aliased downsampling of sequences: a fixed binomial blur, then every `strides`-th step.

    Striding alone lets fast oscillations reappear as false slow ones, and a signal shifted by a
    step changes the output. In place of a strided convolution take the convolution with stride 1,
    its activation, then this; in place of max pooling, max pooling with stride 1, then this.

    Maths:
        `y[i] = Σ k[u] x[s i + u - pad]`, with `n` = `kernel_size`, `s` = `strides`,
        `k[u] = (n-1 choose u) / 2ⁿ⁻¹` and `pad = (s + n - 2) // 2` steps on either side.

    Shapes:
        Input `(batch, steps, channels)`; output `(batch, (steps + 2 pad - n) // s + 1, channels)`.
        `channels` must be known.

    Behaviour:
        Training and inference are the same. Deterministic, without trainable weights. A mask is
        passed on: of an output step it says what it says of the step at the middle of the blur.
        What stands in the padding is blurred into the last real steps, so set it to zero.

    Example:
        The fastest oscillation there is vanishes, whatever its phase:

        >>> import keras
        >>> x = keras.ops.convert_to_tensor([[[0.0], [1.0], [0.0], [1.0], [0.0]]])
        >>> y = BlurPooling1D(kernel_size=3, strides=2)(x)
        >>> print(keras.ops.convert_to_numpy(y).ravel())
        [0.5 0.5 0.5]
    """

    spatial = 1

    def __init__(
        self,
        kernel_size: int = 3,
        strides: int = 2,
        padding: str = "reflect",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(kernel_size, strides, padding, data_format, **kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:
        if mask is None:
            return None
        steps = ops.shape(mask)[1]
        middles = self.strides * ops.arange(self._output_size(steps))
        middles = middles + self.kernel_size // 2 - self._pad
        return ops.take(mask, ops.clip(middles, 0, steps - 1), axis=1)
