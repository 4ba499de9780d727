from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.loss import Loss
from kcatalog.ops.masks import with_mask
from kcatalog.ops.precision import at_least_float32
from kcatalog.registry import component
from kcatalog.types import Tensor

_NEVER = -1e30  # a score whose softmax is 0, and which gives no NaN where a list is all padding


@component(
    paper=Paper(
        "Learning to Rank: From Pairwise Approach to Listwise Approach",
        "Cao, Qin, Liu, Tsai, Li",
        2007,
        "https://doi.org/10.1145/1273496.1273513",
        "section 5, with the targets as they are",
    ),
    space={"temperature": Float(0.1, 10.0, log=True)},
    example=Example({"temperature": 0.5}, shape=(5,), targets="binary"),
)
class RankingSoftmax(Loss):
    """Listwise ranking loss: cross-entropy between relevances and the softmax of a list's scores.

    For lists of items of which some are relevant (clicked, bought, graded), in search and
    recommendation. One pass over the list, where pairwise losses take its square. With one
    relevant item it is cross-entropy over the list; with several it drives their scores
    towards shares proportional to relevance, so grades act as gains. It bounds how well the list
    is ranked, not what a score means: scores of different lists do not compare.

    Maths:
        `l = -Σ_i y_i log (exp(s_i / t) / Σ_j exp(s_j / t))`, with `s` = `y_pred`, `y` = `y_true`
        and `t` = `temperature`; sums run over the items that are no padding. Differs from the
        paper: its targets are the softmax of the grades, here they are the grades, so that an
        irrelevant item attracts nothing and a list counts by its total relevance. Divide `y` by
        its sum to make lists count alike.

    Args:
        temperature: `t`, what scores are divided by, a number in (0, inf).

    Shapes:
        `y_true`: relevances `(batch, ..., items)`, 0 or above; a negative one marks padding.
        `y_pred`: scores `(batch, ..., items)`. Unreduced: `(batch, ...)`.

    Behaviour:
        Each list on its own. Padding neither counts nor has a gradient. A list with nothing but
        padding gives 0 and is left out of the mean, as Keras leaves out what is masked; a
        list without a relevant item gives 0 and counts. Half precision is computed in float32.
        A `sample_weight` weighs lists; weigh items by scaling their relevance.

    Example:
        The relevant item has the share 3/4; the padding's score does not matter:

        >>> loss = RankingSoftmax()
        >>> y_true = ops.convert_to_tensor([[0.0, 1.0, -1.0]])
        >>> y_pred = ops.log(ops.convert_to_tensor([[1.0, 3.0, 100.0]]))
        >>> round(float(loss(y_true, y_pred)), 4)
        0.2877
    """

    def __init__(self, temperature: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.temperature = checks.number(self, "temperature", temperature, "(0, inf)")

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        s = at_least_float32(y_pred)
        y = ops.cast(y_true, s.dtype)
        item = y >= 0
        log_p = ops.log_softmax(ops.where(item, s / self.temperature, _NEVER), axis=-1)
        values = -ops.sum(ops.where(item, y, 0.0) * log_p, axis=-1)
        return with_mask(values, ops.any(item, axis=-1))
