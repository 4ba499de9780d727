from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Paper
from kcatalog.losses.categorical_loss import CategoricalLoss
from kcatalog.ops import crf, crf_scores
from kcatalog.ops.attached import infers_shapes
from kcatalog.ops.masks import mask_of, with_mask
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Conditional Random Fields: Probabilistic Models for Segmenting and Labeling Sequence Data",
        "Lafferty, McCallum, Pereira",
        2001,
        "https://repository.upenn.edu/handle/20.500.14332/6188",
        "section 4, the log-likelihood",
    ),
    equation="l = log Σ_y' exp(s(y')) - s(y),  s: the scores of kcatalog.layers.CRF",
    tags=("integer-labels",),
    example=Example({"ignore_class": -1}, shape=(9, 3), targets="labels", target_shape=(4,)),
    exemptions={"ignored_class_is_left_out": "the last rows are no steps: see its own test"},
)
class CRFCrossentropy(CategoricalLoss):
    """Cross-entropy of whole sequences of tags, as `kcatalog.layers.CRF` models them.

    The loss of every model that ends in that layer. For models that end in a softmax for each step
    use `SequenceCrossentropy`.

    Maths:
        `l = -log p(y) = log Z - s(y)`, with `y` = `y_true`, the score of a sequence `s(y) =
        start[y_1] + Σ_t u_t[y_t] + Σ_t A[y_t-1, y_t] + end[y_n]` and `Z = Σ over y' of exp(s(y'))`.

    Args:
        ignore_class: The class whose steps are left out of their sequence, an integer in
            (-inf, inf) such as -1, as if the mask left them out. None: all count.

    Shapes:
        `y_true`: class indices `(batch, steps)` or `(batch, steps, 1)`. `y_pred`: the output of
        `kcatalog.layers.CRF` itself, which bears its scores, or these as
        `kcatalog.ops.crf_scores.pack` puts them: `(batch, steps + tags + 2, tags)`.
        Unreduced: `(batch,)`.

    Behaviour:
        Each sequence on its own; long ones weigh more. A `sample_weight` is of a sequence, so
        leave out steps by Keras's mask or `ignore_class`. A sequence without steps costs 0
        and does not count in the mean. The gradient is that of the marginals, by one pass
        through the steps and one back.

    Example:
        Two steps of two tags, none preferred: the four sequences are equally probable.

        >>> loss = CRFCrossentropy()
        >>> round(float(loss(ops.convert_to_tensor([[0, 1]]), ops.zeros((1, 6, 2)))), 4)
        1.3863
    """

    one_hot = False

    def __call__(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        scores, mask = crf_scores.scores_of(y_pred), mask_of(y_pred)
        if scores is None:
            scores = self._packed(y_true, y_pred)
        elif mask is not None:
            scores = with_mask(scores, mask)
        return super().__call__(y_true, scores, sample_weight)

    def _packed(self, y_true, y_pred):
        """Return `y_pred` if it is packed scores; refuse the output of another layer."""
        shape, labels = getattr(y_pred, "shape", ()), getattr(y_true, "shape", ())
        if len(shape) == 3 and (len(labels) < 2 or shape[1] != labels[1]):
            return y_pred
        if len(shape) == 3 and infers_shapes():
            return crf_scores.pack(y_pred, ops.zeros(shape[-1:] * 2))
        if len(shape) == 3 and shape[1] is None:
            return y_pred
        rule = "the output of kcatalog.layers.CRF itself"
        fix = "Make that layer the last of the model that you compile."
        raise checks.error(self, "y_pred", rule, tuple(shape), fix)

    def scores(self, y_pred: Tensor) -> tuple[Any, int]:
        batch, rows, tags = y_pred.shape
        return (batch, None if rows is None else rows - tags - 2, tags), -1

    def evaluate(
        self, y_true: Tensor, y_pred: Tensor, mask: Tensor, sample_weight: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        u, A, start, end = crf_scores.unpack(y_pred)
        return -crf.crf_log_likelihood(u, y_true, A, mask, start, end), mask, sample_weight
