from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.metrics.token_metric import TokenMetric
from kcatalog.ops.text import ngram_matches, ngrams
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "BLEU: a Method for Automatic Evaluation of Machine Translation",
        "Papineni, Roukos, Ward, Zhu",
        2002,
        "https://aclanthology.org/P02-1040/",
        "section 2.3",
    ),
    equation="BLEU = min(1, exp(1 - r/c)) · exp(mean over n of log p_n)",
    better="higher",
    tags=("streaming",),
    space={"smoothing": Choice(None, "add_one", "exp")},
    example=Example(
        {"max_order": 2, "mask_token_id": 0},
        shape=(12,),
        targets="labels",
        target_shape=(12,),
        predictions="tokens",
        classes=4,
    ),
)
class BLEU(TokenMetric):
    """BLEU of a whole set of translations, from 0 to 1.

    The score that machine translation is compared by. Counts are summed over the set and divided
    at the end, as the paper does: it is no mean of sentence scores, and of one sentence or of few
    it is often 0 (smooth it there). Values compare only under one tokenization; published scores
    are 100 times these and sacreBLEU's tokens.

    Maths:
        `BLEU = BP · exp(1/N Σ_n log p_n)`, with `N` = `max_order` and `p_n` the share of the
        predictions' n-grams that stand in a reference, each counted at most as often as in the one
        reference that has most of it. `BP = min(1, exp(1 - r/c))`, with `c` the length of all
        predictions and `r` that of the references closest in length, the shorter of two equally
        close.

    Args:
        max_order: `N`, an integer in [1, inf).
        smoothing: None: a single `p_n` of 0 makes BLEU 0. `"add_one"`: 1 is added to matches and
            n-grams for n > 1 (Lin and Och 2004). `"exp"`: the k-th order without any match counts
            `1 / 2^k` matches (sacreBLEU's default).

    Shapes:
        `y_true`: token ids `(batch, length)`, or `(batch, references, length)`, where a reference
        without tokens is none. `y_pred`: token ids `(batch, length)`, or scores `(batch, length,
        vocabulary)` of which the largest counts. Outside compiled functions both may be lists of
        strings, cut at white space, or of lists of tokens; a list of references stands in the place
        of one. The result is a scalar.

    Behaviour:
        Streaming: the state is two counts for each order and two lengths. A sample of weight 2
        counts as two. keras-hub takes the shortest reference for `r` and smooths n = 1 too.
        N-grams are compared pair by pair: `O(length²)` time and memory for each sample and
        reference.

    Example:
        Of five words four match, of four pairs of words two; the lengths are equal: `√(4/5 · 2/4)`.

        >>> metric = BLEU(max_order=2)
        >>> value = metric(["the cat sat on mats"], ["the cat is on mats"])
        >>> print(f"{float(value):.4f}")
        0.6325
    """

    references = None

    def __init__(
        self,
        max_order: int = 4,
        smoothing: str | None = None,
        mask_token_id: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(mask_token_id, **kwargs)
        self.max_order = checks.integer(self, "max_order", max_order, "[1, inf)")
        self.smoothing = checks.choice(self, "smoothing", smoothing, (None, "add_one", "exp"))
        self._matches = self.add_variable((max_order,), "zeros", "float32", name="matches")
        self._ngrams = self.add_variable((max_order,), "zeros", "float32", name="ngrams")
        self._c = self.add_variable((), "zeros", "float32", name="prediction_length")
        self._r = self.add_variable((), "zeros", "float32", name="reference_length")

    def tally(self, r, n_r, p, n_p, weights):
        away = 2 * ops.abs(n_r - n_p[:, None]) + ops.cast(n_r > n_p[:, None], "int32")
        away = ops.where(n_r > 0, away, 2**30)
        closest = ops.take_along_axis(n_r, ops.argmin(away, axis=1)[:, None], axis=1)[:, 0]
        w = weights(n_p)
        for state, count in (
            (self._matches, ngram_matches(p, n_p, r, n_r, self.max_order)),
            (self._ngrams, ngrams(n_p, self.max_order)),
            (self._c, n_p),
            (self._r, closest),
        ):
            count = ops.cast(count, "float32")
            state.assign_add(
                ops.sum(ops.reshape(w, (-1, *[1] * (len(count.shape) - 1))) * count, axis=0)
            )

    def result(self) -> Tensor:
        matches, possible, c, r = (
            ops.convert_to_tensor(v) for v in (self._matches, self._ngrams, self._c, self._r)
        )
        nothing = ops.all(matches == 0)  # none of this holds for NaN, which goes on
        if self.smoothing == "add_one":
            more = ops.cast(ops.arange(self.max_order) > 0, "float32")
            matches, possible = matches + more, possible + more
        elif self.smoothing == "exp":
            none = ops.cast(matches == 0, "float32")
            matches = ops.where(matches == 0, ops.power(0.5, ops.cumsum(none)), matches)
        nothing = ops.logical_or(nothing, ops.any(matches * possible == 0))
        p = ops.where(nothing, 1.0, ops.divide_no_nan(matches, possible))
        BP = ops.exp(ops.minimum(1 - ops.divide_no_nan(r, c), 0.0))
        return ops.cast(ops.where(nothing, 0.0, BP * ops.exp(ops.mean(ops.log(p)))), self.dtype)
