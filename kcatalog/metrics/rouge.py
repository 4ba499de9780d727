from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.metrics.token_metric import TokenMetric
from kcatalog.ops.text import common_subsequence, ngram_matches, ngrams
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "ROUGE: A Package for Automatic Evaluation of Summaries",
        "Lin",
        2004,
        "https://aclanthology.org/W04-1013/",
        "sections 2 and 3.1",
    ),
    equation="R = matches / n-grams of the reference, P = matches / those of the prediction",
    better="higher",
    tags=("streaming",),
    space={"variant": Choice("N", "L"), "score": Choice("f1", "precision", "recall")},
    example=Example(
        {"variant": "L", "mask_token_id": 0},
        shape=(8,),
        targets="labels",
        target_shape=(8,),
        predictions="tokens",
        classes=4,
    ),
)
class ROUGE(TokenMetric):
    """ROUGE-N and ROUGE-L of summaries, from 0 to 1.

    The usual score for summaries: shared n-grams (ROUGE-1 and ROUGE-2), or the longest common
    subsequence (ROUGE-L), which asks for order but not for neighbours. It reads words, not meaning:
    a good paraphrase scores low. For translations take `BLEU`.

    Maths:
        `R = M / n_r`, `P = M / n_p` and `F1 = 2 P R / (P + R)`. Variant `"N"`: `M` n-grams of the
        prediction stand in the reference, each counted at most as often as there, and `n_p` and
        `n_r` count all n-grams, of n = `order`. Variant `"L"`: `M` is the length of the longest
        common subsequence, `n_p` and `n_r` count tokens. The best of several references counts; the
        result is the weighted mean over samples.

    Args:
        variant: `"N"` or `"L"`.
        order: n of the n-grams, an integer in [1, inf). Not used by variant `"L"`.
        score: `"f1"`, `"precision"` or `"recall"`. The paper's ROUGE-N is the recall.

    Shapes:
        `y_true`: token ids `(batch, length)`, or `(batch, references, length)`, where a reference
        without tokens is none. `y_pred`: token ids `(batch, length)`, or scores `(batch, length,
        vocabulary)` of which the largest counts. Outside compiled functions both may be lists of
        strings, cut at white space, or of lists of tokens; a list of references stands in the place
        of one. The result is a scalar.

    Behaviour:
        Streaming. A sample without n-grams on either side scores 0. Differs from the paper: F1
        weighs both alike (β = 1), and several references are not jackknifed. No stemming, no case
        folding: prepare the words as you want them compared.

    Example:
        Of four pairs of words in each sentence two are shared:

        >>> metric = ROUGE()
        >>> float(metric(["the cat sat on mats"], ["the cat is on mats"]))
        0.5
    """

    references = None

    def __init__(
        self,
        variant: str = "N",
        order: int = 2,
        score: str = "f1",
        mask_token_id: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(mask_token_id, **kwargs)
        self.variant = checks.choice(self, "variant", variant, ("N", "L"))
        self.order = checks.integer(self, "order", order, "[1, inf)")
        self.score = checks.choice(self, "score", score, ("f1", "precision", "recall"))
        self._total = self.add_variable((), "zeros", "float32", name="total")
        self._weight = self.add_variable((), "zeros", "float32", name="weight")

    def tally(self, r, n_r, p, n_p, weights):
        references, shape = ops.shape(r)[1], ops.shape(n_r)
        p, n_p = ops.repeat(p, references, axis=0), ops.repeat(n_p, references, axis=0)
        r, n_r = ops.reshape(r, (-1, ops.shape(r)[2])), ops.reshape(n_r, (-1,))  # pairs
        if self.variant == "L":
            M = common_subsequence(p, n_p, r, n_r)
        else:
            M = ngram_matches(p, n_p, r[:, None], n_r[:, None], self.order)[:, -1]
            n_p, n_r = ngrams(n_p, self.order)[:, -1], ngrams(n_r, self.order)[:, -1]
        M, n_p, n_r = (ops.cast(n, "float32") for n in (M, n_p, n_r))
        P, R = ops.divide_no_nan(M, n_p), ops.divide_no_nan(M, n_r)
        F1 = ops.divide_no_nan(2 * P * R, P + R)
        score = {"precision": P, "recall": R, "f1": F1}[self.score]
        best = ops.max(ops.reshape(score, shape), axis=1)
        w = weights(best)
        self._total.assign_add(ops.sum(w * best))
        self._weight.assign_add(ops.sum(w))

    def result(self) -> Tensor:
        return ops.cast(ops.divide_no_nan(self._total.value, self._weight.value), self.dtype)
