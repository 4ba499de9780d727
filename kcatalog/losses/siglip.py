from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.two_view_loss import TwoViewLoss
from kcatalog.ops.contrast import similarities
from kcatalog.ops.mining import positive_pairs
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Sigmoid Loss for Language Image Pre-Training",
        "Zhai, Mustafa, Kolesnikov, Beyer",
        2023,
        "https://arxiv.org/abs/2303.15343",
        "section 3.2",
    ),
    equation="L = mean over i of Σ_j log(1 + exp(-z_ij (s_ij / τ + b))),  z_ij = ±1",
    tags=("in-batch", "embeddings"),
    space={"temperature": Float(0.01, 1.0, log=True), "bias": Float(-15.0, 0.0)},
    example=Example({"temperature": 0.5, "bias": -2.0}, shape=(2, 5)),
)
class SigLIP(TwoViewLoss):
    """Pairwise sigmoid loss: each of the `batch²` pairs is a yes-or-no question.

    For two towers, such as pictures and their captions, as `MultipleNegativesRanking` is; there is
    no softmax over the batch, so that small batches lose less and a caption that comes twice only
    answers one question wrong, or none with `ids`.

    Maths:
        `L = mean over i of Σ_j log(1 + exp(-z_ij (s_ij / τ + b)))`, `z_ij = 1 if i = j else -1`,
        with `s_ij` the similarity of `a_i` and `b_j`, `a` = `y_true`, `b_j` rows of `y_pred`,
        `τ` = `temperature` and `b` = `bias`. Differs from the paper, where `1 / τ` and `b` are
        learned, starting at 10 and -10: a Keras loss holds no weights. To learn them, let the
        model multiply one view by a weight `t`, append `b` to it and 1 to the other, and set
        `normalize=False`, `temperature=1`, `bias=0`.

    Args:
        temperature: `τ`, a number in (0, inf).
        bias: `b`, a number in (-inf, inf). It should let nearly all pairs begin as a no, since
            nearly all are: about `-log(batch)` or less.
        normalize: True for cosines, False for inner products.

    Shapes:
        `y_true` and `y_pred`: the two views, `(batch, features)` each, `loss(a, b)`. Or
        `y_pred`: both stacked, `(batch, 2, features)`; `y_true` is then ignored (give `fit` zeros),
        or the ids: `(batch,)` or `(batch, 1)`, whole numbers of any dtype.
        Unreduced: `(batch,)`, row `i`'s sum over all `j`.

    Behaviour:
        Gradients reach both views. The sum over `j` grows with the batch, as in the paper. Computed
        in float32 at least, and never by exponents of what is large. Memory is `O(batch²)`. Under
        data parallelism `j` runs over the samples of all replicas.

    Example:
        Cosines are 1 for the two pairs and 0 for the rest: log(1 + exp(-1)) + log 2 a row:

        >>> loss = SigLIP(temperature=1.0, bias=0.0)
        >>> a = ops.convert_to_tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> round(float(loss(a, 2 * a)), 4)
        1.0064
    """

    def __init__(
        self,
        temperature: float = 0.1,
        bias: float = -10.0,
        normalize: bool = True,
        ids: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.temperature = checks.number(self, "temperature", temperature, "(0, inf)")
        self.bias = checks.number(self, "bias", bias, "(-inf, inf)")
        self.normalize = checks.boolean(self, "normalize", normalize)
        self.ids = checks.boolean(self, "ids", ids)

    def compare(
        self, a: Tensor, b: Tensor, ids: Any = None, anchors: int | None = None
    ) -> tuple[Tensor, Tensor]:
        s = similarities(a, b, anchors, self.normalize)
        i = ops.arange(ops.shape(b)[0], dtype="int32")
        own = i[:anchors, None] == i[None, :]
        logits = s / self.temperature + self.bias
        losses = ops.softplus(ops.where(own, -logits, logits))
        if ids is not None:
            losses = ops.where(positive_pairs(ids, anchors), 0.0, losses)
        L = ops.sum(losses, axis=1)
        return L, ops.ones_like(L)
