from typing import Any

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.losses.categorical_loss import CategoricalLoss
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.probabilities import crossentropy, log_probabilities
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "A Neural Probabilistic Language Model",
        "Bengio, Ducharme, Vincent, Jauvin",
        2003,
        "https://www.jmlr.org/papers/v3/bengio03a.html",
        "section 2, the mean log-likelihood of all words",
    ),
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={"label_smoothing": Choice(0.0, 0.1)},
    example=Example(
        {"from_logits": True, "label_smoothing": 0.1, "ignore_class": -1},
        shape=(4, 5),
        targets="labels",
        target_shape=(4,),
    ),
)
class SequenceCrossentropy(CategoricalLoss):
    """Cross-entropy averaged over the steps that are neither masked nor of the ignored class.

    For language models, translation, tagging: whatever predicts a class at each step of padded
    sequences. Every step weighs alike, so the exponential of the loss is the perplexity, and how
    much padding a batch has changes nothing. Where every sequence shall weigh alike,
    give `sample_weight` of one over its length. `keras.losses.SparseCategoricalCrossentropy` has
    `ignore_class` too, without smoothing and without one-hot targets.

    Maths:
        `L = Σ_bt m_bt H(q_bt, p_bt) / Σ_bt m_bt` over sequences `b` and steps `t`, with `H` =
        cross-entropy, `q` = `y_true`, smoothed by `label_smoothing`, `p` = `y_pred`, and `m` = 1
        for a step that counts, else 0: the Keras mask of the predictions, joined with
        `y_true` not being `ignore_class`.

    Args:
        from_logits: True where `y_pred` holds logits; more exact than probabilities.
        label_smoothing: The part of the target spread over all classes, a number in [0, 1].
        ignore_class: The class index whose steps do not count, an integer in (-inf, inf), such as 0
            or -1; None counts all. Among one-hot rows it is that class's; rows of zeros count as
            ignored too.

    Shapes:
        `y_true`: class indices `(batch, steps)` or `(batch, steps, 1)`, or one-hot
        `(batch, steps, classes)`.
        `y_pred`: `(batch, steps, classes)`; more axes of steps are fine, or none.
        Unreduced: `(batch, steps)`, with 0 for steps that do not count.

    Behaviour:
        Each step on its own. A sequence without any step that counts adds nothing; if no step of
        the batch counts, the loss is 0. A `sample_weight` of `(batch,)` or `(batch, steps)`
        multiplies, and the sum is still divided by the number of steps that count; with the
        reduction "mean_with_sample_weight" it is divided by the weights' sum, so that weights of
        0 and 1 act as a mask. Class indices need no one-hot tensor. Half precision is
        computed in float32.

    Example:
        The second sequence has one step. Three steps count, each with `p` = 1/2:

        >>> from keras import ops
        >>> loss = SequenceCrossentropy(ignore_class=-1)
        >>> y_true = ops.convert_to_tensor([[0, 1], [1, -1]])
        >>> y_pred = ops.convert_to_tensor([[[0.5, 0.5]] * 2, [[0.5, 0.5], [0.9, 0.1]]])
        >>> round(float(loss(y_true, y_pred)), 4)
        0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        ignore_class: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(ignore_class, **kwargs)
        self.from_logits = checks.boolean(self, "from_logits", from_logits)
        self.label_smoothing = checks.number(self, "label_smoothing", label_smoothing, "[0, 1]")

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        log_p = log_probabilities(at_least_float32(y_pred), self.from_logits)
        return crossentropy(y_true, log_p, label_smoothing=self.label_smoothing)
