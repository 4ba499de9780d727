from typing import Any

from keras import ops

from kcatalog.card import Example, Paper
from kcatalog.metrics.token_metric import TokenMetric
from kcatalog.ops.text import edit_distance
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "From WER and RIL to MER and WIL: improved evaluation measures for connected speech "
        "recognition",
        "Morris, Maier, Green",
        2004,
        "https://doi.org/10.21437/Interspeech.2004-668",
        "equation 2",
    ),
    equation="WER = (substitutions + deletions + insertions) / words of the references",
    better="lower",
    tags=("streaming",),
    example=Example(
        {"mask_token_id": 0},
        shape=(8,),
        targets="labels",
        target_shape=(8,),
        predictions="tokens",
        classes=4,
    ),
)
class WordErrorRate(TokenMetric):
    """Word error rate of recognised speech or handwriting.

    0 is best; above 1 where more words were put in than said. It is `EditDistance` over words,
    normalized by the whole set: long sentences count more than short ones. Words are compared as
    they are, so take care of case and punctuation first.

    Maths:
        `WER = Σ w D / Σ w N`, with `D` the fewest substitutions, deletions and insertions of words
        that make the reference of the prediction, `N` the reference's words, and weights `w`.

    Args:

    Shapes:
        `y_true`: word ids `(batch, length)`. `y_pred`: word ids `(batch, length)`, or scores
        `(batch, length, vocabulary)` of which the largest counts. The lengths may differ. Outside
        compiled functions both may be lists of strings, cut at white space, or of lists of words.
        The result is a scalar.

    Behaviour:
        Streaming. What a model predicts after the end of its sentence is for the caller to mask, by
        `mask_token_id` or Keras's mask of `y_pred`, which takes steps out of references too that
        are as long.
        With no words in any reference the result is 0.

    Example:
        One word of four is wrong and one is left out:

        >>> metric = WordErrorRate()
        >>> float(metric(["the cat sat down"], ["a cat sat"]))
        0.5
    """

    def __init__(self, mask_token_id: int | None = None, **kwargs: Any):
        super().__init__(mask_token_id, **kwargs)
        self._edits = self.add_variable((), "zeros", "float32", name="edits")
        self._words = self.add_variable((), "zeros", "float32", name="words")

    def tally(self, r, n_r, p, n_p, weights):
        D = edit_distance(p, n_p, r[:, 0], n_r[:, 0])
        w = weights(D)
        self._edits.assign_add(ops.sum(w * ops.cast(D, "float32")))
        self._words.assign_add(ops.sum(w * ops.cast(n_r[:, 0], "float32")))

    def result(self) -> Tensor:
        return ops.cast(ops.divide_no_nan(self._edits.value, self._words.value), self.dtype)
