from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.in_batch import InBatchLoss
from kcatalog.ops.labels import is_distribution
from kcatalog.ops.margins import class_similarities
from kcatalog.ops.targets import Targets, class_targets
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Proxy Anchor Loss for Deep Metric Learning",
        "Kim, Kim, Cho, Kwak",
        2020,
        "https://arxiv.org/abs/2003.13911",
        "equation 4",
    ),
    equation="L = mean_P⁺ log(1 + Σ_x⁺ exp(-α (s - δ))) + mean_P log(1 + Σ_x⁻ exp(α (s + δ)))",
    tags=("in-batch", "integer-labels", "one-hot-labels"),
    space={"margin": Float(0.0, 0.5), "scale": Float(8.0, 64.0, log=True)},
    example=Example(
        {"margin": 0.2, "scale": 8.0}, shape=(6,), targets="labels", predictions="cosines"
    ),
)
class ProxyAnchor(InBatchLoss):
    """Each class's proxy is an anchor, the samples of the batch its positives and negatives.

    Converges as fast as `ProxyNCA` and, as its gradient weighs samples against each other,
    learns from the relations within a batch as pair losses do. Prefer large batches, of 100 and
    more; no class needs to occur twice. What has weights is a layer and a loss has none: the
    proxies are those of `kcatalog.layers.Prototypes`, the model's last layer in training; the
    layer before it gives the embeddings.

    Maths:
        `L = (1 / |P⁺|) Σ_{p ∈ P⁺} log(1 + Σ_{x of p} exp(-α (s_xp - δ)))
           + (1 / |P|) Σ_{p ∈ P} log(1 + Σ_{x not of p} exp(α (s_xp + δ)))`, with `s` = `y_pred`,
        `α` = `scale`, `δ` = `margin`, `P` all proxies and `P⁺` those whose class is in the batch.

    Args:
        margin: `δ`, in units of the cosine, a number in [0, inf). The paper takes 0.1.
        scale: `α`, a number in (0, inf). The paper takes 32.

    Shapes:
        `y_true`: class indices `(batch,)` or `(batch, 1)`, whole numbers of any dtype, or one-hot
        `(batch, classes)`. `y_pred`: cosines `(batch, classes)`. Unreduced: `(batch,)`, times
        batch the part of `L` that falls to each sample: a proxy's logarithm is shared out in
        proportion to the terms of its sum.

    Behaviour:
        The mean over the batch is `L`; `sample_weight` weights the samples' parts. The shares have
        no gradient. A sum without samples counts 0. Half precision is computed in float32. Memory
        is `O(batch · classes)`. Under data parallelism the batch is that of all replicas. A label
        that is no class raises an error, or gives NaN where the step is compiled.

    Example:
        Two samples of two classes, each at cosine 0 from both proxies, without margin: every one
        of the four logarithms is log 2, and each mean as well.

        >>> loss = ProxyAnchor(margin=0.0)
        >>> round(float(loss(ops.convert_to_tensor([0, 1]), ops.zeros((2, 2)))), 4)
        1.3863
    """

    def __init__(self, margin: float = 0.1, scale: float = 32.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.margin = checks.number(self, "margin", margin, "[0, inf)")
        self.scale = checks.number(self, "scale", scale, "(0, inf)")

    def targets(self, y_true: Tensor, y_pred: Tensor) -> Targets:
        return class_targets(self, y_true, y_pred.shape)

    def samples(self, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, ...]:
        s = class_similarities(self, y_pred)
        return (ops.argmax(y_true, axis=-1) if is_distribution(y_true, s) else y_true), s

    def compare(self, y: Tensor, s: Tensor, anchors: int | None = None) -> tuple[Tensor, Tensor]:
        α, δ = self.scale, self.margin
        own = y[:, None] == ops.arange(ops.shape(s)[1], dtype=y.dtype)
        pull, has_positive = _shared_log_sum(-α * (s - δ), own, anchors)
        push, _ = _shared_log_sum(α * (s + δ), ops.logical_not(own), anchors)
        present = ops.maximum(ops.sum(ops.cast(has_positive, s.dtype)), 1.0)
        S = ops.sum(pull, axis=1) / present + ops.mean(push, axis=1)
        # Both means are over proxies, not over samples: all samples together count as one term.
        return S, ops.ones_like(S) / ops.cast(ops.shape(s)[0], s.dtype)


def _shared_log_sum(z, keep, anchors):
    """`log(1 + Σ exp z)` of each column over the rows to `keep`, shared out to these rows.

    Returns the first `anchors` rows' shares, and which columns have any row to keep.
    """
    largest = ops.stop_gradient(ops.relu(ops.max(ops.where(keep, z, 0.0), axis=0)))
    terms = ops.where(keep, ops.exp(ops.where(keep, z - largest, 0.0)), 0.0)
    total = ops.sum(terms, axis=0)
    log_sum = largest + ops.log(ops.exp(-largest) + total)
    share = ops.stop_gradient(terms / ops.where(total > 0, total, 1.0))
    return share[:anchors] * log_sum, ops.any(keep, axis=0)
