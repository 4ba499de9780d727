from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.in_batch import InBatchLoss
from kcatalog.ops.contrast import log_sum_exp, similarities
from kcatalog.ops.mining import positive_pairs, same_class
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "A Simple Framework for Contrastive Learning of Visual Representations",
        "Chen, Kornblith, Norouzi, Hinton",
        2020,
        "https://arxiv.org/abs/2002.05709",
        "equation 1",
    ),
    tags=("in-batch", "integer-labels", "embeddings"),
    space={"temperature": Float(0.02, 1.0, log=True)},
    example=Example({"temperature": 0.5}, shape=(8,), targets="labels", classes=3),
)
class NTXent(InBatchLoss):
    """Normalized temperature-scaled cross-entropy: the loss of SimCLR, InfoNCE with labels.

    Each positive pair competes with all negatives of its anchor. For SimCLR, two views of image
    `i` both bear the label `i`: concatenate the views along the batch, and so the labels
    `[0, 1, ..., 0, 1, ...]`. It wants many negatives, so large batches (256 and more). With
    classes for labels `SupervisedContrastive` is the usual choice; for two towers (queries and
    documents, pictures and captions) it is `MultipleNegativesRanking`.

    Maths:
        `L = mean over (a, p) of -log(exp(s_ap / τ) / (exp(s_ap / τ) + Σ_n exp(s_an / τ)))` over all
        ordered pairs of different samples with one label, with `s` the cosine of
        embeddings, `τ` = `temperature`, and `n` all samples with another label than `a`. With two
        samples for each label this is the paper's loss. Beyond that, other positives are left
        out of the denominator, as pytorch-metric-learning and optax do.

    Args:
        temperature: `τ`, a number in (0, inf). The smaller, the more the hardest negatives count;
            the paper has 0.1 to 0.5, MoCo 0.07.

    Shapes:
        `y_true`: labels `(batch,)` or `(batch, 1)`, whole numbers of any dtype.
        `y_pred`: embeddings `(batch, features)`, normalized or not.
        Unreduced: `(batch,)`, anchor `a`'s sum over its pairs, times batch / number of pairs.

    Behaviour:
        The mean over the batch is the mean over pairs; `sample_weight` weights anchors. No pair, or
        no negative, gives 0 with zero gradient. Computed in float32 at least, and by log-sum-exp,
        so that a hopeless pair keeps its gradient (pytorch-metric-learning adds a tiny number
        inside the logarithm, which stops it at 87). Memory is `O(batch²)`. Under data parallelism
        the batch is that of all replicas.

    Example:
        The partner is at cosine 1, both negatives at cosine 0: log(1 + 2 exp(-1)) for each pair:

        >>> loss = NTXent(temperature=1.0)
        >>> x = ops.convert_to_tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
        >>> round(float(loss(ops.convert_to_tensor([0, 0, 1, 1]), x)), 4)
        0.5514
    """

    def __init__(self, temperature: float = 0.07, **kwargs: Any):
        super().__init__(**kwargs)
        self.temperature = checks.number(self, "temperature", temperature, "(0, inf)")

    def compare(
        self, labels: Tensor, x: Tensor, anchors: int | None = None
    ) -> tuple[Tensor, Tensor]:
        s = similarities(x, x, anchors) / self.temperature
        negatives = log_sum_exp(s, ops.logical_not(same_class(labels, anchors)))
        positive = positive_pairs(labels, anchors)
        L = ops.where(positive, ops.softplus(negatives - s), 0.0)  # log(1 + Σ exp(s_an - s_ap))
        return ops.sum(L, axis=1), ops.sum(ops.cast(positive, s.dtype), axis=1)
