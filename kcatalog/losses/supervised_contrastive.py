from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.in_batch import InBatchLoss
from kcatalog.ops.contrast import log_sum_exp, mean_over, similarities
from kcatalog.ops.mining import positive_pairs, same_class
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Supervised Contrastive Learning",
        "Khosla, Teterwak, Wang, Sarna, Tian, Isola, Maschinot, Liu, Krishnan",
        2020,
        "https://arxiv.org/abs/2004.11362",
        "equation 2",
    ),
    tags=("in-batch", "integer-labels", "embeddings"),
    space={"temperature": Float(0.02, 1.0, log=True)},
    example=Example({"temperature": 0.5}, shape=(8,), targets="labels", classes=3),
)
class SupervisedContrastive(InBatchLoss):
    """Supervised contrastive loss (SupCon), the paper's `L_out`.

    Pre-trains an encoder on labelled data, to be followed by a classifier on the frozen embeddings;
    it often beats cross-entropy and is less sensitive to settings. Compose batches with several
    samples of each class, or take two views of each picture under one label. Large
    batches help. With one positive for each anchor it equals `NTXent`.

    Maths:
        `L = mean over a of -1/|P(a)| Σ_p log(exp(s_ap / τ) / Σ over i ≠ a of exp(s_ai / τ))`, with
        `s` the cosine of embeddings, `τ` = `temperature`, and `P(a)` the other samples with the
        label of `a`. The mean is over anchors that have a positive. Differs from the paper's code:
        no further factor `τ / 0.07`.

    Args:
        temperature: `τ`, a number in (0, inf); the paper's is 0.1.

    Shapes:
        `y_true`: labels `(batch,)` or `(batch, 1)`, whole numbers of any dtype.
        `y_pred`: embeddings `(batch, features)`, normalized or not.
        Unreduced: `(batch,)`, the anchor's loss times batch / anchors with a positive.

    Behaviour:
        Anchors without a positive lose nothing and are not counted; if there are only such, the
        loss is 0 with zero gradient. In a batch of one class all others are positives and the loss,
        at log(batch - 1) at least, evens out their similarities, as in the paper;
        pytorch-metric-learning gives 0 there. `sample_weight` weights anchors. Computed in float32
        at least, by log-sum-exp. Memory is `O(batch²)`. Under data parallelism the batch is that of
        all replicas.

    Example:
        Anchors 0 and 1 see cosines 1 and 0, so that each loses log(1 + exp(-1)); the third has
        no positive:

        >>> loss = SupervisedContrastive(temperature=1.0)
        >>> x = ops.convert_to_tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
        >>> round(float(loss(ops.convert_to_tensor([0, 0, 1]), x)), 4)
        0.3133
    """

    def __init__(self, temperature: float = 0.1, **kwargs: Any):
        super().__init__(**kwargs)
        self.temperature = checks.number(self, "temperature", temperature, "(0, inf)")

    def compare(
        self, labels: Tensor, x: Tensor, anchors: int | None = None
    ) -> tuple[Tensor, Tensor]:
        s = similarities(x, x, anchors) / self.temperature
        positive = positive_pairs(labels, anchors)
        others = ops.logical_or(positive, ops.logical_not(same_class(labels, anchors)))
        log_p = s - log_sum_exp(s, others)
        return -mean_over(log_p, positive), ops.cast(ops.any(positive, axis=1), s.dtype)
