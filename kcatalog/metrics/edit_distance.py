from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Paper
from kcatalog.metrics.token_metric import TokenMetric
from kcatalog.ops import text
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "The String-to-String Correction Problem",
        "Wagner, Fischer",
        1974,
        "https://doi.org/10.1145/321796.321811",
    ),
    better="lower",
    tags=("streaming",),
    example=Example(
        {"normalize": False, "mask_token_id": 0},
        shape=(8,),
        targets="labels",
        target_shape=(8,),
        predictions="tokens",
        classes=4,
    ),
)
class EditDistance(TokenMetric):
    """Levenshtein distance: the fewest insertions, deletions and substitutions of tokens.

    For recognised or generated sequences whose length may differ from the reference's. Over
    characters and normalized it is the character error rate; for words take `WordErrorRate`. It
    needs one right answer: for free text take `BLEU` or `ROUGE`.

    Maths:
        `D(i, j) = min(D(i-1, j) + 1, D(i, j-1) + 1, D(i-1, j-1) + [a_i ≠ b_j])` from `D(i, 0) = i`
        and `D(0, j) = j` on; `D` of all of prediction `a` and reference `b` is the distance. The
        result is `Σ w D / Σ w |b|`, with the references' lengths `|b|` and weights `w`; not
        normalized it is `Σ w D / Σ w`.

    Args:
        normalize: Whether to divide by the number of tokens in all references, instead of by the
            number of samples.

    Shapes:
        `y_true`: token ids `(batch, length)`. `y_pred`: token ids `(batch, length)`, or scores
        `(batch, length, vocabulary)` of which the largest counts. The lengths may differ. Outside
        compiled functions both may be lists of strings, compared by characters, or of lists of
        tokens. The result is a scalar.

    Behaviour:
        Streaming. What a model predicts after the end of its sentence is for the caller to mask, by
        `mask_token_id` or Keras's mask of `y_pred`, which takes steps out of references too that
        are as long.
        With no tokens in any reference the normalized result is 0. Time is `O(length²)` for each
        sample, in `2 · length` steps for the whole batch.

    Example:
        Seven characters in the reference, three changes:

        >>> metric = EditDistance(normalize=False)
        >>> float(metric(["sitting"], ["kitten"]))
        3.0
    """

    split = staticmethod(list)

    def __init__(self, normalize: bool = True, mask_token_id: int | None = None, **kwargs: Any):
        super().__init__(mask_token_id, **kwargs)
        self.normalize = checks.boolean(self, "normalize", normalize)
        self._edits = self.add_variable((), "zeros", "float32", name="edits")
        self._total = self.add_variable((), "zeros", "float32", name="total")

    def tally(self, b, n_b, a, n_a, weights):
        D = text.edit_distance(a, n_a, b[:, 0], n_b[:, 0])
        w = weights(D)
        self._edits.assign_add(ops.sum(w * ops.cast(D, "float32")))
        size = ops.cast(n_b[:, 0], "float32") if self.normalize else ops.ones_like(w)
        self._total.assign_add(ops.sum(w * size))

    def result(self) -> Tensor:
        return ops.cast(ops.divide_no_nan(self._edits.value, self._total.value), self.dtype)
