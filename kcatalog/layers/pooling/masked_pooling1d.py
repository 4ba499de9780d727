from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks",
        "Reimers, Gurevych",
        2019,
        "https://arxiv.org/abs/1908.10084",
        "section 3",
    ),
    tags=("masking",),
    space={"mode": Choice("mean", "max", "sum", "sqrtn", "last", "first")},
    example=Example({"mode": "sqrtn"}, shape=(5, 4)),
)
class MaskedPooling1D(ImageLayer):
    """Mean, maximum, sum, last or first of the real steps of a sequence.

    The usual last layer over token embeddings. Padding may stand on either side, or between.
    Keras's `GlobalMaxPooling1D` reads no mask, and its `GlobalAveragePooling1D` divides by zero for
    a row of padding only. For a learned weighting of the steps use `AttentionPooling1D`.

    Maths:
        Over the real steps `t` of a sequence, `N` of them:
        "mean" `y = Σ x[t] / N`; "sum" `y = Σ x[t]`; "sqrtn" `y = Σ x[t] / √N`;
        "max" `y = max x[t]`; "last" and "first" `y = x[t]` of the last or first `t`.

    Args:
        mode: "mean", "max", "sum", "sqrtn", "last" or "first".
        keepdims: Whether the output keeps the axis of the steps, with size 1.

    Shapes:
        Input `(batch, steps, channels)`; output `(batch, channels)`, or `(batch, 1, channels)`
        with `keepdims=True`.

    Behaviour:
        Training and inference are the same. Deterministic. Without a mask every step is real. A
        row of padding only gives 0. What stands in the padding does not matter, not even NaN. Half
        precision is summed in float32. The mask ends here.

    Example:
        The second row has two real steps:

        >>> x = keras.ops.convert_to_tensor([[[1.0], [2.0], [6.0]], [[1.0], [2.0], [6.0]]])
        >>> mask = keras.ops.convert_to_tensor([[True, True, True], [True, True, False]])
        >>> y = MaskedPooling1D("mean")(x, mask=mask)
        >>> print(keras.ops.convert_to_numpy(y).ravel())
        [3.  1.5]
    """

    spatial = 1

    def __init__(
        self,
        mode: str = "mean",
        keepdims: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        modes = ("mean", "max", "sum", "sqrtn", "last", "first")
        self.mode = checks.choice(self, "mode", mode, modes)
        self.keepdims = checks.boolean(self, "keepdims", keepdims)
        self.supports_masking = True

    def call(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.call_turned(x, mask=mask)

    def call_images(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            y = self._pooled(x)
        else:
            y = self._pooled_where(x, ops.expand_dims(ops.cast(mask, "bool"), -1))
        return y if self.keepdims else ops.squeeze(y, 1)

    def _pooled(self, x):
        if self.mode in ("last", "first"):
            return x[:, -1:] if self.mode == "last" else x[:, :1]
        if self.mode == "sqrtn":
            steps = ops.cast(ops.shape(x)[1], keras.backend.result_type(x.dtype, "float32"))
            return ops.mean(x, axis=1, keepdims=True) * ops.cast(ops.sqrt(steps), x.dtype)
        return getattr(ops, self.mode)(x, axis=1, keepdims=True)

    def _pooled_where(self, x, real):
        if self.mode == "max":
            y = ops.max(ops.where(real, x, -float("inf")), axis=1, keepdims=True)
            return ops.where(ops.any(real, axis=1, keepdims=True), y, 0)
        if self.mode in ("last", "first"):
            count = ops.cumsum(ops.cast(real, "int32"), axis=1)
            wanted = count[:, -1:] if self.mode == "last" else 1
            real = ops.logical_and(real, count == wanted)
        wide = ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
        total = ops.sum(ops.where(real, wide, 0), axis=1, keepdims=True)
        N = ops.maximum(ops.sum(ops.cast(real, wide.dtype), axis=1, keepdims=True), 1)
        if self.mode == "mean":
            total = total / N
        elif self.mode == "sqrtn":
            total = total / ops.sqrt(N)
        return ops.cast(total, x.dtype)

    def images_output_shape(self, input_shape: Shape) -> Shape:
        batch, _, channels = input_shape
        return (batch, 1, channels) if self.keepdims else (batch, channels)

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:
        return None
