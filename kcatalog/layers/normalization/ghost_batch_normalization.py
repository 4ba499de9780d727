from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Int, Paper
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Train longer, generalize better: closing the generalization gap in large batch training "
        "of neural networks",
        "Hoffer, Hubara, Soudry",
        2017,
        "https://arxiv.org/abs/1705.08741",
        "algorithm 1",
    ),
    tags=("shape-preserving", "masking"),
    space={"virtual_batch_size": Int(8, 256, log=True)},
    example=Example({"virtual_batch_size": 4, "momentum": 0.5}, shape=(5, 3)),
)
class GhostBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization over small parts of a batch, which keeps the noise of small batches.

    For training with large batches: each ghost batch has statistics of its own, so the
    regularizing noise of batch normalization stays, and samples are compared with few others. With
    batches up to `virtual_batch_size` it is `keras.layers.BatchNormalization`.

    Maths:
        `y = γ (x - μ_g) / √(σ²_g + ε) + β`, with mean and variance of the ghost batch `g` of each
        sample, over all axes but `axis`; `ε` = `epsilon`. For each ghost batch in turn
        `μ ← momentum μ + (1 - momentum) μ_g`, likewise `σ²`, for inference.

    Args:
        virtual_batch_size: Samples in a ghost batch, at most, an integer in [1, inf). Further
            arguments are those of `keras.layers.BatchNormalization` but `renorm` and
            `synchronized`.

    Shapes:
        Input `(batch, ...)`, output the same. The size of `axis` must be known.

    Behaviour:
        In training a batch is cut into as few ghost batches as hold it, in order and of equal sizes
        up to one sample: 33 samples make ghosts of 17 and 16, not of 32 and 1, which would have no
        variance. This equals Keras's layer called for one ghost batch after the other. Frozen or at
        inference it takes the moving statistics. Masked steps do not count, as in Keras's layer.
        Half precision is computed in float32. A mask is passed on.

    Example:
        Two ghost batches of two samples; each has mean 0, whatever the other:

        >>> layer = GhostBatchNormalization(virtual_batch_size=2)
        >>> y = layer(keras.ops.convert_to_tensor([[1.0], [3.0], [50.0], [90.0]]), training=True)
        >>> print(abs(keras.ops.convert_to_numpy(y)[:, 0].round(2)))
        [1. 1. 1. 1.]
    """

    def __init__(self, virtual_batch_size: int = 32, **kwargs: Any):
        super().__init__(**kwargs)
        self.virtual_batch_size = checks.integer(
            self, "virtual_batch_size", virtual_batch_size, "[1, inf)"
        )
        for name in ("renorm", "synchronized"):
            if kwargs.get(name):
                raise checks.error(self, name, "False", True, "Statistics are of ghost batches.")

    def build(self, input_shape: Shape) -> None:
        self._shape = checks.channels_shape(self, input_shape, self.axis)
        super().build(input_shape)

    def call(self, x: Tensor, training: bool | None = None, mask: Tensor | None = None) -> Tensor:
        if not (training and self.trainable):
            return super().call(x, training=False, mask=mask)
        wide = ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
        group, groups = self._groups(ops.shape(x)[0])
        weights = None if mask is None else ops.expand_dims(ops.cast(mask, wide.dtype), -1)
        μ, n = self._group_means(wide, weights, group, groups)
        centered = wide - self._of_samples(μ, group)
        σ2, _ = self._group_means(ops.square(centered), weights, group, groups)
        self._update(μ, σ2, n)
        scale = ops.rsqrt(σ2 + self.epsilon)
        if self.scale:
            scale = scale * ops.cast(self.gamma, wide.dtype)
        y = centered * self._of_samples(scale, group)
        if self.center:
            y = y + ops.reshape(ops.cast(self.beta, wide.dtype), self._shape)
        return ops.cast(y, self.compute_dtype)

    def _groups(self, samples):
        """Return the ghost batch of each sample, and how many there are."""
        groups = (samples + self.virtual_batch_size - 1) // self.virtual_batch_size
        if isinstance(samples, int):
            samples, groups, places = max(samples, 1), max(groups, 1), ops.arange(samples)
        else:
            places = ops.arange(samples)
            samples, groups = ops.maximum(samples, 1), ops.maximum(groups, 1)
        return places * groups // samples, groups

    def _group_means(self, a, weights, group, groups):
        """Return the mean of `a` for each ghost batch and channel, and what counts in it."""
        inner = [i for i in self._reduction_axes if i > 0]
        if weights is None:  # every value of a sample counts alike
            total = ops.mean(a, axis=inner) if inner else a
            n = ops.ones_like(total)
        else:
            weights = weights + ops.zeros_like(a)
            total, n = ops.sum(weights * a, axis=inner), ops.sum(weights, axis=inner)
        total, n = (ops.segment_sum(v, group, groups) for v in (total, n))
        return ops.divide_no_nan(total, n), n

    def _of_samples(self, statistics, group):
        each = ops.take(statistics, group, axis=0)
        return ops.reshape(each, (-1, *self._broadcast()))

    def _broadcast(self):
        ones = len(self._reduction_axes) - len(self._shape)
        return (*(1,) * ones, *self._shape)

    def _update(self, μ, σ2, n):
        """Update the moving statistics by one ghost batch after the other."""
        some = ops.cast(n > 0, μ.dtype)
        after = ops.sum(some, axis=0) - ops.cumsum(some, axis=0)
        share = (1 - self.momentum) * some * self.momentum**after
        kept = self.momentum ** ops.sum(some, axis=0)
        for moving, values in ((self.moving_mean, μ), (self.moving_variance, σ2)):
            new = kept * ops.cast(moving, μ.dtype) + ops.sum(share * values, axis=0)
            moving.assign(ops.cast(new, moving.dtype))
