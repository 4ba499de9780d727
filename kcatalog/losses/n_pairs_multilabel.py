from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.in_batch import InBatchLoss
from kcatalog.ops.contrast import similarities
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.targets import Targets, between_0_and_1, numbers, same_samples
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
    equation="L = mean over a of -Σ_j t_aj log softmax_j(s_aj),  t_aj ∝ |Y_a ∩ Y_j|",
    tags=("in-batch", "embeddings"),
    space={"factor": Float(0.0, 0.01)},
    example=Example({"factor": 0.1}, shape=(2, 5), targets="binary", target_shape=(3,)),
)
class NPairsMultilabel(InBatchLoss):
    """N-pair loss for samples that bear several labels each.

    `NPairs` where "the same class" is a matter of degree: tags of a picture, topics of a text.
    Every pair of the batch is a candidate, and the target is spread over them by the labels they
    share with the anchor. With one label each it is `NPairs`.

    Maths:
        `L = mean over a of -Σ_j t_aj log softmax_j(s_aj) + λ (‖a‖² + ‖p‖²)`, with `s_aj` the inner
        product of anchor `a` and the positive of pair `j`, `p` its own, `λ` = `factor`, and
        `t_aj ∝ |Y_a ∩ Y_j|`, the number of labels that pairs `a` and `j` share, made to sum to 1
        over `j`. Differs from the paper, which knows single labels; the targets are those of
        TensorFlow Addons.

    Args:
        factor: `λ`, a number in [0, inf); 0 is TensorFlow Addons' loss.

    Shapes:
        `y_true`: `(batch, classes)`, 1 for each label that a pair bears, else 0.
        `y_pred`: anchor and positive of each pair, `(batch, 2, features)`.
        Unreduced: `(batch,)`, the pair's loss times batch / pairs with a label.

    Behaviour:
        Pairs without any label are negatives to all others, but no anchors (TensorFlow Addons
        gives NaN). Computed in float32 at least, by log-sum-exp. Memory is `O(batch²)`. Under data
        parallelism the pairs are those of all replicas. `NpairsMultilabelLoss` of TensorFlow
        Addons is given the matrix of inner products; end the model in
        `keras.ops.stack([anchor, positive], axis=1)` in its place.

    Example:
        Anchor 0 has inner products 2 and 0; pair 1 shares one of its labels, so the target is
        (2/3, 1/3): 2.1269 - 4/3 = 0.7936. Anchor 1 has 0 and 0, whatever the target: log 2:

        >>> loss = NPairsMultilabel(reduction=None)
        >>> pairs = ops.convert_to_tensor([[[1.0, 0.0], [2.0, 0.0]], [[0.0, 0.0], [0.0, 2.0]]])
        >>> each = loss(ops.convert_to_tensor([[1, 1], [0, 1]]), pairs)
        >>> [round(float(value), 4) for value in each]
        [0.7936, 0.6931]
    """

    def __init__(self, factor: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.factor = checks.number(self, "factor", factor, "[0, inf)")

    def targets(self, y_true: Tensor, y_pred: Tensor) -> Targets:
        y = numbers(self, "y_true", y_true, self.dtype)
        if len(y.shape) != 2:
            rule, fix = "1 or 0 for each label, (batch, classes)", "`NPairs` takes class indices."
            raise checks.error(self, "y_true", rule, tuple(y.shape), fix)
        same_samples(self, y, y_pred)
        return Targets(y, faults=between_0_and_1(self, y_true))

    def samples(self, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, ...]:
        return at_least_float32(y_true), *pair(self, y_pred)

    def compare(
        self, labels: Tensor, a: Tensor, p: Tensor, anchors: int | None = None
    ) -> tuple[Tensor, Tensor]:
        shared = ops.matmul(labels[:anchors], ops.transpose(labels))
        total = ops.sum(shared, axis=1, keepdims=True)
        t = shared / ops.where(total > 0, total, 1.0)
        log_q = ops.log_softmax(similarities(a, p, anchors, normalize=False))
        L = -ops.sum(t * log_q, axis=1)
        labelled = ops.cast(total[:, 0] > 0, L.dtype)
        if self.factor:
            L += self.factor * ops.sum(a[:anchors] ** 2 + p[:anchors] ** 2, axis=1) * labelled
        return L, labelled
