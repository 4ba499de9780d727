from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.in_batch import InBatchLoss
from kcatalog.ops.contrast import mean_over, similarities
from kcatalog.ops.mining import same_class
from kcatalog.ops.views import pair
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Improved Deep Metric Learning with Multi-class N-pair Loss Objective",
        "Sohn",
        2016,
        "https://papers.nips.cc/paper/6200-improved-deep-metric-learning-with-multi-class-n-pair-loss-objective",
        "section 3.2",
    ),
    tags=("in-batch", "integer-labels", "embeddings"),
    space={"factor": Float(0.0, 0.01)},
    example=Example({"factor": 0.1}, shape=(2, 5), targets="labels", classes=3),
)
class NPairs(InBatchLoss):
    """Multi-class N-pair loss: one pair of each class, everyone else's positive is a negative.

    Make a batch of pairs, each of a class of its own: `N` pairs give every anchor `N - 1` negatives
    for `2 N` embeddings. Embeddings are not normalized, so that their lengths tell how sure the
    model is; let `factor` keep them from growing. `MultipleNegativesRanking` is the same for pairs
    without labels, with a temperature.

    Maths:
        `L = mean over a of log(1 + Σ over n of exp(s_an - s_ap)) + λ (‖a‖² + ‖p‖²)`, with `s_aj`
        the inner product of anchor `a` and the positive of pair `j`, `p` its own, `n` all others,
        and `λ` = `factor`. The paper penalizes lengths without giving a formula. Differs from the
        paper, where no class comes twice: positives of one class are all right, and share the
        target evenly, as in TensorFlow Addons.

    Args:
        factor: `λ`, a number in [0, inf); 0 is TensorFlow Addons' loss. Begin with 5e-4.

    Shapes:
        `y_true`: the pairs' labels, `(batch,)` or `(batch, 1)`, whole numbers of any dtype.
        `y_pred`: anchor and positive of each pair, `(batch, 2, features)`. Unreduced: `(batch,)`.

    Behaviour:
        A batch of one gives 0. Computed in float32 at least, by log-sum-exp. Memory is `O(batch²)`.
        Rows with one label are never each other's negatives: a document that answers two questions
        bears one label. Under data parallelism the pairs are those of all replicas. `NpairsLoss` of
        TensorFlow Addons is given the matrix of inner products; end the model in
        `keras.ops.stack([anchor, positive], axis=1)` in its place, the values are the same.

    Example:
        Anchor 0 has inner products 2 and 0, and loses log(1 + exp(-2)) = 0.1269; anchor 1 has 2
        and 2, and loses log 2:

        >>> loss = NPairs(reduction=None)
        >>> pairs = [[[1.0, 0.0], [2.0, 0.0]], [[1.0, 1.0], [0.0, 2.0]]]
        >>> each = loss(ops.convert_to_tensor([0, 1]), ops.convert_to_tensor(pairs))
        >>> [round(float(value), 4) for value in each]
        [0.1269, 0.6931]
    """

    def __init__(self, factor: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.factor = checks.number(self, "factor", factor, "[0, inf)")

    def samples(self, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, ...]:
        return y_true, *pair(self, y_pred)

    def compare(
        self, labels: Tensor, a: Tensor, p: Tensor, anchors: int | None = None
    ) -> tuple[Tensor, Tensor]:
        log_q = ops.log_softmax(similarities(a, p, anchors, normalize=False))
        L = -mean_over(log_q, same_class(labels, anchors))
        if self.factor:
            L += self.factor * ops.sum(a[:anchors] ** 2 + p[:anchors] ** 2, axis=1)
        return L, ops.ones_like(L)
