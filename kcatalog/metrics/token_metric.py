"""The base of metrics that compare sequences of tokens."""

from typing import Any

from kcatalog import checks
from kcatalog.metrics.metric import Metric
from kcatalog.ops.masks import mask_of
from kcatalog.ops.tokens import ids_of, tokens_and_lengths
from kcatalog.types import Tensor


class TokenMetric(Metric):
    """Base of metrics of whole sequences: a part states by `tally` what a batch adds to its state.

    Args:
        mask_token_id: Id of padding, left out wherever it stands, an integer in (-inf, inf);
            None counts every token.
    """

    split = staticmethod(str.split)  # from a sentence to its tokens
    references = 1  # for each prediction; None is any number

    def __init__(self, mask_token_id: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.mask_token_id = checks.integer(
            self, "mask_token_id", mask_token_id, "(-inf, inf)", optional=True
        )

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Add a batch to the state, of ids, scores or text."""
        y, p, padding = ids_of(self, y_true, y_pred, self.mask_token_id, self.split)
        self.compare(y, p, mask_of(y_pred), sample_weight, padding=padding)

    def count(self, y_true: Tensor, y_pred: Tensor, weights: Tensor, padding: Any) -> None:
        """Hand tokens to `tally`."""
        mask = weights.mask
        steps = mask if mask is not None and len(mask.shape) == 2 else None
        tokens = tokens_and_lengths(self, y_true, y_pred, padding, steps, self.references)
        self.tally(*tokens, weights)

    def tally(self, r, n_r, p, n_p, weights):
        """Add to the state: ids of references and predictions with their numbers of tokens."""
        raise NotImplementedError
