from typing import Any

from keras import ops

from kcatalog.card import Example, Paper
from kcatalog.losses.categorical_loss import CategoricalLoss
from kcatalog.ops.labels import class_indices
from kcatalog.ops.masks import counted
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.replicas import mean_over_replicas
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Deep Neural Networks for Rank-Consistent Ordinal Regression Based On Conditional "
        "Probabilities",
        "Shi, Cao, Raschka",
        2021,
        "https://arxiv.org/abs/2111.08851",
        "section 3",
    ),
    tags=("integer-labels", "in-batch"),
    example=Example({"ignore_class": -1}, shape=(4,), targets="labels", classes=5),
)
class CORN(CategoricalLoss):
    """Conditional ordinal regression: cross-entropy of "above rank k", given that k is reached.

    For classes that have an order, of which only the order is known (grades, age groups, stages).
    The model ends in `Dense(ranks - 1)`. Its logits are conditional, so the probabilities
    of being above each rank, their running product, can only fall: ranks never contradict each
    other, and the last layer needs no shared weights. Read them off with
    `kcatalog.ops.corn_ranks(logits)`. Where few ranks have far more samples than the others, upper
    logits see few of them.

    Maths:
        `L = 1/Σ_k |S_k| Σ_k Σ over b in S_k of H([y_b > k], σ(z_bk))` for `k = 0 … ranks - 2`,
        with `S_k` the samples of the batch that reach rank `k` (`y_b ≥ k`), `H` = binary
        cross-entropy, `y` = `y_true` and `z` = `y_pred`.

    Shapes:
        `y_true`: ranks `(batch, ...)` or `(batch, ..., 1)`, from 0 on, whole numbers of any dtype.
        `y_pred`: logits `(batch, ..., ranks - 1)`. Unreduced: `(batch, ...)`.

    Behaviour:
        A sample's value is the sum over the `k` it reaches, its negative log-likelihood, times `B /
        Σ|S_k|` (`B` samples), so that the mean is the paper's `L`, and `sample_weight` scales a
        sample's part in it. Half precision is computed in float32.

    Example:
        Rank 0 of 3 has one question to answer, rank 1 two, each with the chance 1/2:

        >>> loss = CORN(reduction=None)
        >>> y_true = ops.convert_to_tensor([0, 1])
        >>> [round(float(v), 4) for v in loss(y_true, ops.zeros((2, 2)))]
        [0.4621, 0.9242]
    """

    one_hot = False
    compares_samples = True

    def __init__(self, ignore_class: int | None = None, **kwargs: Any):
        super().__init__(ignore_class, **kwargs)

    def scores(self, y_pred: Tensor) -> tuple[Any, int]:
        *samples, logits = y_pred.shape  # one less than ranks
        return (*samples, None if logits is None else logits + 1), -1

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        z = at_least_float32(y_pred)
        y, k = class_indices(y_true, z), ops.arange(z.shape[-1], dtype="int32")
        S = ops.cast(y >= k, z.dtype)
        H = ops.softplus(ops.where(y > k, -z, z))
        reached = ops.sum(S, axis=-1)
        mean = mean_over_replicas(reached, weights=counted(y_pred, reached))
        return ops.divide_no_nan(ops.sum(S * H, axis=-1), mean)
