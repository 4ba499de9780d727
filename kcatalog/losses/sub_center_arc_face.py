import math
from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.similarity_loss import SimilarityLoss
from kcatalog.ops.margins import center_similarities, cosine_of_wider_angle, margin_crossentropy
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Sub-center ArcFace: Boosting Face Recognition by Large-Scale Noisy Web Faces",
        "Deng, Guo, Liu, Gong, Zafeiriou",
        2020,
        "https://www.ecva.net/papers/eccv_2020/papers_ECCV/html/1445_ECCV_2020_paper.php",
        "section 3.2",
    ),
    equation="l = -log softmax(s · cos(θ_y + m), s · cos θ_j),  cos θ_j = max_k cos(x, w_jk)",
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={"margin_degrees": Float(0.0, 40.0), "scale": Float(8.0, 128.0, log=True)},
    example=Example(
        {"margin_degrees": 20.0, "scale": 8.0},
        shape=(6, 3),
        targets="labels",
        predictions="cosines",
        classes=6,
    ),
)
class SubCenterArcFace(SimilarityLoss):
    """ArcFace with several centers for each class, of which the nearest counts.

    For labels with noise: a sample need be close to one of its class's centers only, so that the
    clean majority gathers around one of them and what was mislabelled around another. With clean
    labels it splits classes that `ArcFace` would hold together. What has weights is a layer and a
    loss has none: the centers are those of `kcatalog.layers.Prototypes(classes, per_class=3)`, the
    model's last layer in training; the layer before it gives the embeddings.

    Maths:
        `l = -log(exp(s cos(θ_y + m)) / (exp(s cos(θ_y + m)) + Σ_{j ≠ y} exp(s cos θ_j)))` with
        `cos θ_j` = the greatest of `y_pred`'s cosines to class `j`, `y` = `y_true`,
        `m` = `margin_degrees` and `s` = `scale`. Beyond half a turn, for `θ_y > 180° - m`,
        `cos θ_y + cos m - 1` stands in for `cos(θ_y + m)`, which would rise again.

    Args:
        margin_degrees: `m`, a number in [0, 90]. The paper takes 0.5 radians, 28.6 degrees.
        scale: `s`, a number in (0, inf). Should grow with the logarithm of the number of
            classes.

    Shapes:
        `y_true`: class indices `(batch,)` or `(batch, 1)`, whole numbers of any dtype, or one-hot
        `(batch, classes)`. `y_pred`: cosines `(batch, classes, per_class)`; `(batch, classes)`
        counts as one center a class. Unreduced: `(batch,)`.

    Behaviour:
        Each sample on its own. Only the nearest center of each class has a gradient. Half
        precision is computed in float32. Otherwise as `ArcFace`, its continuation beyond half a
        turn included. The paper then drops samples far from their class's main center and trains
        again; that is left to the user: look at the cosines that the model predicts.

    Example:
        Right at 30 degrees from its second center, wrong at 60: with a margin of 30, log 2.

        >>> loss = SubCenterArcFace(margin_degrees=30.0)
        >>> cos = ops.convert_to_tensor([[[-0.2, 3**0.5 / 2], [0.5, 0.1]]])
        >>> round(float(loss(ops.convert_to_tensor([0]), cos)), 4)
        0.6931
    """

    def __init__(self, margin_degrees: float = 28.6, scale: float = 64.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.margin_degrees = checks.number(self, "margin_degrees", margin_degrees, "[0, 90]")
        self.scale = checks.number(self, "scale", scale, "(0, inf)")

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        cos = ops.max(center_similarities(self, y_pred), axis=-1)
        m = math.radians(self.margin_degrees)
        return margin_crossentropy(
            y_true, cos, lambda cos_y: cosine_of_wider_angle(cos_y, m), self.scale
        )
