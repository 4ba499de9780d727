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
        "Analyzing and Improving Representations with the Soft Nearest Neighbor Loss",
        "Frosst, Papernot, Hinton",
        2019,
        "https://arxiv.org/abs/1902.01889",
        "section 2, equation 1",
    ),
    tags=("in-batch", "integer-labels", "embeddings"),
    space={
        "temperature": Float(0.1, 100.0, log=True),
        "distance": Choice("euclidean", "squared_euclidean", "cosine"),
        "normalize": Choice(False, True),
    },
    example=Example(
        {"temperature": 2.0, "distance": "cosine", "normalize": True},
        shape=(8,),
        targets="labels",
        classes=3,
    ),
)
class SoftNearestNeighbor(DistanceLoss):
    """Soft nearest neighbour loss: the entanglement of classes in a representation.

    Low where each sample's near neighbours are of its class. Unlike triplet and contrastive
    losses it lets a class be several clusters, as only near neighbours count. The paper adds it to
    cross-entropy, on hidden layers and with a negative factor: entangled features there generalize
    and tell outliers better. `NCA` has the same sums and a choice of objectives.

    Maths:
        `l_i = -log(Σ exp(-D_ij / T) over j ≠ i with y_j = y_i / Σ exp(-D_ik / T) over k ≠ i)`, with
        `T` = `temperature`, `D` = `distance`, the squared Euclidean in the paper.

    Args:
        temperature: `T`, in units of the distance, a number in (0, inf). Small: the nearest
            neighbours decide; large: all distances count alike.

    Shapes:
        `y_true`: labels `(batch,)` or `(batch, 1)`, whole numbers of any dtype.
        `y_pred`: embeddings `(batch, features)`, normalized or not.
        Unreduced: `(batch,)`, `l_i` times batch / number of samples that count.

    Behaviour:
        The mean is over samples with another of their class; the others give 0 without a gradient.
        Differs from the paper: the temperature is fixed; it is trained there. Differs from
        tensorflow-similarity: the mean there includes zeros of samples without a positive, and
        `1e-9` inside the logarithm ends the loss, and the gradient, near 20.7. Float32 at least,
        `O(batch²)` memory. Under data parallelism the batch is that of all replicas.

    Example:
        0 and 1 are of one class, 3 is a negative. The squared distances are 1 and 9 from sample
        0, `l = log(1 + exp(1 - 9))`, and 1 and 4 from sample 1, `l = log(1 + exp(1 - 4))`:

        >>> loss = SoftNearestNeighbor()
        >>> x = ops.convert_to_tensor([[0.0], [1.0], [3.0]])
        >>> round(float(loss(ops.convert_to_tensor([0, 0, 1]), x)), 4)
        0.0245
    """

    def __init__(
        self,
        temperature: float = 1.0,
        distance: str = "squared_euclidean",
        normalize: bool = False,
        **kwargs: Any,
    ):
        super().__init__(distance, normalize, **kwargs)
        self.temperature = checks.number(self, "temperature", temperature, "(0, inf)")

    def compare(
        self, labels: Tensor, x: Tensor, anchors: int | None = None
    ) -> tuple[Tensor, Tensor]:
        D = anchor_distances(x, anchors, self.distance, self.normalize)
        z, has_positive = log_odds_of_negatives(-D / self.temperature, labels, anchors)
        # with p the quotient of the two sums, -log p = log(1 + exp(z))
        return ops.where(has_positive, ops.softplus(z), 0.0), has_positive
