from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Paper
from kcatalog.metrics.metric import Metric
from kcatalog.ops.probabilities import log_probabilities
from kcatalog.ops.targets import class_targets
from kcatalog.ops.weights import Weights
from kcatalog.registry import component
from kcatalog.types import Tensor

LARGEST_EXPONENT = 88.0  # e^89 is no float32


@component(
    paper=Paper(
        "Perplexity—a measure of the difficulty of speech recognition tasks",
        "Jelinek, Mercer, Bahl, Baker",
        1977,
        "https://doi.org/10.1121/1.2016299",
    ),
    better="lower",
    tags=("streaming",),
    example=Example(
        {"from_logits": True, "mask_token_id": 0}, shape=(5, 7), targets="labels", target_shape=(5,)
    ),
)
class Perplexity(Metric):
    """Perplexity of a language model: the exponential of its mean cross-entropy per token.

    1 is a model that is always certain and right; the size of the vocabulary is one that knows
    nothing. It depends on what a token is: compare models of one vocabulary only.

    Maths:
        `PP = exp(-Σ w log p(y) / Σ w)` over all tokens `y` of all batches, with the predicted
        probability `p` and weights `w`. Tokens equal to `mask_token_id` have weight 0.

    Args:
        from_logits: Whether `y_pred` are logits instead of probabilities.
        mask_token_id: Id of padding in `y_true`, an integer in (-inf, inf); None counts every
            token.

    Shapes:
        `y_true`: token ids `(batch, length)`. `y_pred`: `(batch, length, vocabulary)`. The result
        is a scalar.

    Behaviour:
        Streaming: sums over tokens, so that batches of any padding add up; keras-hub averages the
        batches' means, which weights tokens of short batches more. Half precision is computed
        in float32. Probabilities are bounded by Keras's epsilon, as in Keras's cross-entropies. The
        result is e^88 at most, and 0 where no token counts. Steps that Keras's mask of `y_pred`
        takes out do not count: behind `Embedding(mask_zero=True)` it is the exponential of the
        loss. A target outside of the vocabulary is an error, or NaN within a compiled step.

    Example:
        One token was given 1/2, the other 1/8: as if each had been one of four.

        >>> metric = Perplexity()
        >>> p = [[[0.5, 0.25, 0.25], [0.125, 0.375, 0.5]]]
        >>> print(f"{float(metric([[0, 0]], p)):.4f}")
        4.0000
    """

    def __init__(self, from_logits: bool = False, mask_token_id: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.from_logits = checks.boolean(self, "from_logits", from_logits)
        self.mask_token_id = checks.integer(
            self, "mask_token_id", mask_token_id, "(-inf, inf)", optional=True
        )
        self._total = self.add_variable((), "zeros", "float32", name="total")
        self._tokens = self.add_variable((), "zeros", "float32", name="tokens")

    def count(self, y_true: Tensor, y_pred: Tensor, weights: Weights) -> None:
        log_p = log_probabilities(ops.cast(y_pred, "float32"), self.from_logits)
        y, counts, faults = class_targets(
            self, y_true, log_p.shape, ignore_class=self.mask_token_id, one_hot=False
        )
        w = weights(y, ops.isnan(faults))
        w = w if counts is None else ops.where(counts, w, 0.0)
        log_p = ops.take_along_axis(log_p, y[..., None], axis=-1)[..., 0]
        log_p = ops.where(w == 0, 0.0, log_p)
        self._total.assign_add(ops.sum(w * log_p))
        self._tokens.assign_add(ops.sum(w))

    def result(self) -> Tensor:
        total, tokens = ops.convert_to_tensor(self._total), ops.convert_to_tensor(self._tokens)
        H = -ops.divide_no_nan(total, tokens)
        PP = ops.exp(ops.minimum(H, LARGEST_EXPONENT))
        return ops.cast(ops.where(tokens == 0, 0.0, PP), self.dtype)
