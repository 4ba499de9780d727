from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.two_view_loss import TwoViewLoss
from kcatalog.ops.contrast import similarities
from kcatalog.ops.mining import positive_pairs
from kcatalog.ops.probabilities import crossentropy
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Efficient Natural Language Response Suggestion for Smart Reply",
        "Henderson, Al-Rfou, Strope, Sung, Lukács, Guo, Kumar, Miklos, Kurzweil",
        2017,
        "https://arxiv.org/abs/1705.00652",
        "section 4, multiple negatives",
    ),
    tags=("in-batch", "embeddings"),
    space={"temperature": Float(0.01, 1.0, log=True), "symmetric": Choice(False, True)},
    example=Example({"temperature": 0.5, "symmetric": True}, shape=(2, 5)),
)
class MultipleNegativesRanking(TwoViewLoss):
    """Multiple negatives ranking: everyone else's counterpart is a negative; the loss of CLIP.

    Trains two towers from positive pairs alone: question and answer, query and document, picture
    and caption. Also known as in-batch negatives, and as InfoNCE. It wants large batches, and
    pairs that are all different: a second copy of a document counts as a negative to its own
    query, unless `ids` tells copies apart. `SigLIP` asks pair by pair and minds the size of the
    batch less.

    Maths:
        `L = -mean over i of log(exp(s_ii / τ) / Σ_j exp(s_ij / τ))`, with `s_ij` the similarity of
        `a_i` and `b_j`, `a` = `y_true` and `b` = `y_pred`, and `τ` = `temperature`. Symmetric, it
        is the mean of that and of the same with `a` and `b` exchanged. The paper has inner
        products and `τ` = 1; `scale` elsewhere is `1 / τ`. With `ids` the sum leaves out all
        `j ≠ i` with the id of `i`.

    Args:
        temperature: `τ`, a number in (0, inf); 0.05 goes with cosines.
        normalize: True for cosines, False for inner products.
        symmetric: True to look for `a` given `b` as well, as CLIP does.

    Shapes:
        `y_true` and `y_pred`: the two views, `(batch, features)` each, `loss(a, b)`. Or
        `y_pred`: both stacked, `(batch, 2, features)`; `y_true` is then ignored (give `fit` zeros),
        or the ids: `(batch,)` or `(batch, 1)`, whole numbers of any dtype.
        Unreduced: `(batch,)`.

    Behaviour:
        Gradients reach both views. A batch of one gives 0. Computed in float32 at least, by
        log-sum-exp. Memory is `O(batch²)`. Under data parallelism the negatives are those of all
        replicas. Under gradient accumulation they are those of the micro-batch alone: eight
        batches of 32 are not one of 256.

    Example:
        Each pair is at cosine 1 and its rivals at 0, so that each loses log(1 + exp(-1)):

        >>> loss = MultipleNegativesRanking(temperature=1.0)
        >>> a = ops.convert_to_tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> round(float(loss(a, 2 * a)), 4)
        0.3133
    """

    def __init__(
        self,
        temperature: float = 0.05,
        normalize: bool = True,
        symmetric: bool = False,
        ids: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.temperature = checks.number(self, "temperature", temperature, "(0, inf)")
        self.normalize = checks.boolean(self, "normalize", normalize)
        self.symmetric = checks.boolean(self, "symmetric", symmetric)
        self.ids = checks.boolean(self, "ids", ids)

    def compare(
        self, a: Tensor, b: Tensor, ids: Any = None, anchors: int | None = None
    ) -> tuple[Tensor, Tensor]:
        L = self._find(a, b, ids, anchors)
        if self.symmetric:
            L = (L + self._find(b, a, ids, anchors)) / 2
        return L, ops.ones_like(L)

    def _find(self, a, b, ids, anchors):
        s = similarities(a, b, anchors, self.normalize) / self.temperature
        if ids is not None:
            s = ops.where(positive_pairs(ids, anchors), -1e30, s)
        return crossentropy(ops.arange(ops.shape(s)[0]), ops.log_softmax(s))
