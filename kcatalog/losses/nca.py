from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.distance_loss import DistanceLoss
from kcatalog.ops.distances import anchor_distances
from kcatalog.ops.pairs import log_odds_of_negatives
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Neighbourhood Components Analysis",
        "Goldberger, Roweis, Hinton, Salakhutdinov",
        2004,
        "https://papers.nips.cc/paper/2566-neighbourhood-components-analysis",
        "section 2",
    ),
    equation="l_i = -log p_i or 1 - p_i,  p_i = Σ_j softmax over k ≠ i of (-D_ik / T),  y_j = y_i",
    tags=("in-batch", "integer-labels", "embeddings"),
    space={
        "objective": Choice("likelihood", "accuracy"),
        "temperature": Float(0.05, 10.0, log=True),
        "distance": Choice("euclidean", "squared_euclidean", "cosine"),
        "normalize": Choice(False, True),
    },
    example=Example(
        {"objective": "accuracy", "temperature": 2.0, "distance": "cosine", "normalize": True},
        shape=(8,),
        targets="labels",
        classes=3,
    ),
)
class NCA(DistanceLoss):
    """Neighbourhood components analysis: leave-one-out nearest neighbours, made differentiable.

    Each sample picks a neighbour by the softmax of negative distances and takes its label; `p` is
    the probability that this is right. Fits embeddings that a nearest-neighbour search will serve.
    The accuracy counts errors and gives up hopeless samples, robust to wrong labels but slow from
    a poor start; the likelihood pulls hardest at those.

    Maths:
        `p_ij = exp(-D_ij / T) / Σ exp(-D_ik / T) over k ≠ i`, `p_i = Σ p_ij` over the other samples
        of the class. `l_i = 1 - p_i` for the accuracy, the paper's `f`; `l_i = -log p_i` for the
        likelihood, its `g`. `T` = `temperature`, 1 in the paper; `D` = `distance`, squared
        Euclidean in the paper.

    Args:
        objective: `"likelihood"` (`-log p`) or `"accuracy"` (`1 - p`).
        temperature: `T`, in units of the distance, a number in (0, inf).

    Shapes:
        `y_true`: labels `(batch,)` or `(batch, 1)`, whole numbers of any dtype.
        `y_pred`: embeddings `(batch, features)`, normalized or not.
        Unreduced: `(batch,)`, `l_i` times batch / number of samples that count.

    Behaviour:
        The mean is over samples with another of their class; the others give 0 without a gradient.
        The paper's linear map is the model's business. `temperature` is the peer's
        `1 / softmax_scale`. Differs from pytorch-metric-learning: samples whose `p` rounds to 0 are
        left out there, though they are the worst. Float32 at least, `O(batch²)` memory. Under data
        parallelism the batch is that of all replicas.

    Example:
        0 and 1 are of one class, 3 is a negative. Sample 0 errs with probability
        `sigmoid(1 - 9)`, sample 1 with `sigmoid(1 - 4)`; sample 3 cannot be right, it is left out:

        >>> loss = NCA(objective="accuracy")
        >>> x = ops.convert_to_tensor([[0.0], [1.0], [3.0]])
        >>> round(float(loss(ops.convert_to_tensor([0, 0, 1]), x)), 4)
        0.0239
    """

    def __init__(
        self,
        objective: str = "likelihood",
        temperature: float = 1.0,
        distance: str = "squared_euclidean",
        normalize: bool = False,
        **kwargs: Any,
    ):
        super().__init__(distance, normalize, **kwargs)
        options = ("likelihood", "accuracy")
        self.objective = checks.choice(self, "objective", objective, options)
        self.temperature = checks.number(self, "temperature", temperature, "(0, inf)")

    def compare(
        self, labels: Tensor, x: Tensor, anchors: int | None = None
    ) -> tuple[Tensor, Tensor]:
        D = anchor_distances(x, anchors, self.distance, self.normalize)
        z, has_positive = log_odds_of_negatives(-D / self.temperature, labels, anchors)
        # z = log((1 - p) / p), so 1 - p = sigmoid(z) and -log p = log(1 + exp(z))
        losses = ops.sigmoid(z) if self.objective == "accuracy" else ops.softplus(z)
        return ops.where(has_positive, losses, 0.0), has_positive
