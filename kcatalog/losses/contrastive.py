from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.loss import Loss
from kcatalog.ops.distances import DISTANCES, paired_distances
from kcatalog.ops.labels import flat_labels
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.targets import Targets, between_0_and_1, numbers, same_shape
from kcatalog.ops.views import pair
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Dimensionality Reduction by Learning an Invariant Mapping",
        "Hadsell, Chopra, LeCun",
        2006,
        "http://yann.lecun.com/exdb/publis/pdf/hadsell-chopra-lecun-06.pdf",
        "equation 4",
    ),
    tags=("embeddings",),
    space={
        "margin": Float(0.1, 2.0),
        "distance": Choice("euclidean", "squared_euclidean", "cosine"),
        "normalize": Choice(False, True),
    },
    example=Example(
        {"margin": 4.0, "normalize": True}, shape=(2, 5), targets="binary", target_shape=()
    ),
)
class Contrastive(Loss):
    """Contrastive loss of pairs that are given as pairs: the same, or different.

    For siamese networks on data that come in pairs (signatures, duplicate questions, before and
    after). Where samples have labels, `InBatchContrastive` makes all pairs of the batch
    instead, far more for the same forward pass. A pair that is alike is pulled to distance
    0, which is more than ranking needs: triplet losses ask for less.

    Maths:
        `l = y D² + (1 - y) max(0, m - D)²`, with `y` = `y_true`, `m` = `margin` and `D` =
        `distance` of the two embeddings. Differs from the paper: `y` is 1 for the same and 0 for
        different, as TensorFlow Addons has it, and there is no factor of 1/2.

    Args:
        margin: `m`, in units of the distance, a number in (0, inf). For `"cosine"`, which is 2 at
            most, take less than 1.
        distance: `D`: `"euclidean"`, `"squared_euclidean"` or `"cosine"` (1 - cosine). It is
            squared once more; the paper's is `"euclidean"`. None if the predictions are distances.
        normalize: True to scale embeddings to length 1 first.

    Shapes:
        `y_true`: `(batch,)` or `(batch, 1)`: 1 for the same, 0 for different, or in between.
        `y_pred`: both embeddings of each pair, `(batch, 2, features)`, or with `distance=None`
        their distances, `(batch,)` or `(batch, 1)`. Unreduced: `(batch,)`.

    Behaviour:
        Each pair on its own. Half precision is computed in float32. Different samples at one
        point have no direction to part in: the gradient is 0. End a siamese model in
        `keras.ops.stack([a, b], axis=1)`. `ContrastiveLoss` of TensorFlow Addons is that of
        `distance=None`.

    Example:
        The pair is 5 apart. As the same it costs 25, as different it is 1 short of the margin:

        >>> loss = Contrastive(margin=6.0, reduction=None)
        >>> pairs = ops.convert_to_tensor([[[0.0, 0.0], [3.0, 4.0]]] * 2)
        >>> [float(value) for value in loss(ops.convert_to_tensor([1, 0]), pairs)]
        [25.0, 1.0]
    """

    def __init__(
        self,
        margin: float = 1.0,
        distance: str | None = "euclidean",
        normalize: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.margin = checks.number(self, "margin", margin, "(0, inf)")
        self.distance = checks.choice(
            self, "distance", distance, ("euclidean", "squared_euclidean", "cosine", None)
        )
        self.normalize = checks.boolean(self, "normalize", normalize)

    def targets(self, y_true: Tensor, y_pred: Tensor) -> Targets:
        y = numbers(self, "y_true", y_true, self.dtype)
        same_shape(self, y, y_pred.shape[:1])
        return Targets(y, faults=between_0_and_1(self, y))

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        D = self._distances(y_pred)
        y = ops.cast(flat_labels(y_true), D.dtype)
        return y * D**2 + (1 - y) * ops.relu(self.margin - D) ** 2

    def _distances(self, y_pred):
        if self.distance is not None:
            return paired_distances(*pair(self, y_pred), self.distance, self.normalize)
        if len(y_pred.shape) > 2 or tuple(y_pred.shape[1:]) not in ((), (1,)):
            rule = "distances (batch,) or (batch, 1), since `distance` is None"
            fix = f"For embeddings name the distance: one of {', '.join(DISTANCES)}."
            raise checks.error(self, "y_pred", rule, tuple(y_pred.shape), fix)
        return at_least_float32(ops.reshape(y_pred, (-1,)))
