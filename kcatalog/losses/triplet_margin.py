from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.loss import Loss
from kcatalog.ops.distances import DISTANCES, paired_distances
from kcatalog.ops.targets import Targets, numbers, same_samples
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Learning Local Feature Descriptors with Triplets and Shallow Convolutional Neural "
        "Networks",
        "Balntas, Riba, Ponsa, Mikolajczyk",
        2016,
        "https://doi.org/10.5244/C.30.119",
        "margin ranking loss, and mining within the triplet by anchor swap",
    ),
    tags=("embeddings",),
    space={
        "margin": Float(0.1, 2.0),
        "swap": Choice(False, True),
        "distance": Choice("euclidean", "squared_euclidean", "cosine"),
        "normalize": Choice(False, True),
    },
    example=Example({"margin": 3.0, "swap": True}, shape=(3, 4)),
)
class TripletMargin(Loss):
    """Triplet loss on triplets that you bring along.

    For data that come as triplets (this picture is more like that one than like the other), with
    one tower applied to all three. Where data come with labels, mine the triplets within the
    batch instead: `TripletSemiHard`, `TripletHard` or `TripletAll` get batch² pairs out of
    batch embeddings.

    Maths:
        `l = max(0, m + D(a, p) - D(a, n))` with anchor, positive and negative `a, p, n` = `y_pred`,
        `m` = `margin`, `D` = `distance`. With `swap` the negative distance is
        `min(D(a, n), D(p, n))`: the positive is the anchor where that is harder.

    Args:
        margin: `m`, in units of the distance, a number in (0, inf).
        swap: True for the anchor swap.
        distance: `D`: `"euclidean"`, `"squared_euclidean"` or `"cosine"` (1 - cosine).
        normalize: True to scale embeddings to length 1 first.

    Shapes:
        `y_true`: not read; anything with the batch first, such as zeros.
        `y_pred`: `(batch, 3, features)`, in the order anchor, positive, negative, as
        `keras.ops.stack([a, p, n], axis=1)` makes it. Unreduced: `(batch,)`.

    Behaviour:
        Each triplet on its own. Distances are computed in float32 at least; a distance of 0 has
        gradient 0 (PyTorch's loss adds 1e-6 to every difference instead).

    Example:
        1 is at 1 from 0, and 3 at 3: of the margin of 2.5 a half is missing. Seen from 1, 3 is
        only 2 away:

        >>> x = ops.convert_to_tensor([[[0.0], [1.0], [3.0]]])
        >>> float(TripletMargin(margin=2.5)(ops.zeros((1,)), x))
        0.5
        >>> float(TripletMargin(margin=2.5, swap=True)(ops.zeros((1,)), x))
        1.5
    """

    def __init__(
        self,
        margin: float = 1.0,
        swap: bool = False,
        distance: str = "euclidean",
        normalize: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.margin = checks.number(self, "margin", margin, "(0, inf)")
        self.swap = checks.boolean(self, "swap", swap)
        self.distance = checks.choice(self, "distance", distance, DISTANCES)
        self.normalize = checks.boolean(self, "normalize", normalize)

    def targets(self, y_true: Tensor, y_pred: Tensor) -> Targets:
        y = numbers(self, "y_true", y_true)
        same_samples(self, y, y_pred)
        return Targets(y)  # which nobody reads

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        if len(y_pred.shape) != 3 or y_pred.shape[1] != 3:
            rule = "of shape (batch, 3, features)"
            fix = "For example: keras.ops.stack([anchor, positive, negative], axis=1)."
            raise checks.error(self, "y_pred", rule, tuple(y_pred.shape), fix)
        a, p, n = y_pred[:, 0], y_pred[:, 1], y_pred[:, 2]
        D_an = self._distance(a, n)
        if self.swap:
            D_an = ops.minimum(D_an, self._distance(p, n))
        return ops.relu(self.margin + self._distance(a, p) - D_an)

    def _distance(self, x, y):
        return paired_distances(x, y, self.distance, self.normalize)
