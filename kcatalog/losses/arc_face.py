import math
from typing import Any

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.similarity_loss import SimilarityLoss
from kcatalog.ops.margins import class_similarities, cosine_of_wider_angle, margin_crossentropy
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "ArcFace: Additive Angular Margin Loss for Deep Face Recognition",
        "Deng, Guo, Xue, Zafeiriou",
        2019,
        "https://arxiv.org/abs/1801.07698",
        "equation 3",
    ),
    equation="l = -log softmax(s · cos(θ_y + m), s · cos θ_j),  cos θ_j = cos(x, w_j)",
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={"margin_degrees": Float(0.0, 40.0), "scale": Float(8.0, 128.0, log=True)},
    example=Example(
        {"margin_degrees": 20.0, "scale": 8.0}, shape=(6,), targets="labels", predictions="cosines"
    ),
)
class ArcFace(SimilarityLoss):
    """Softmax of cosines with an additive margin on the angle.

    The usual choice for faces and whatever else is to be recognized in classes that come after
    training. The margin is the same at every angle, where `CosFace`'s is wider near 0. If training
    from scratch does not get off the ground, begin with a smaller margin. What has weights is a
    layer and a loss has none: the class vectors are those of `kcatalog.layers.Prototypes`, the
    model's last layer in training; the layer before it gives the embeddings. For few, fixed
    classes plain cross-entropy does.

    Maths:
        `l = -log(exp(s cos(θ_y + m)) / (exp(s cos(θ_y + m)) + Σ_{j ≠ y} exp(s cos θ_j)))`, with
        `cos θ` = `y_pred`, `y` = `y_true`, `m` = `margin_degrees` and `s` = `scale`. Beyond half a
        turn, for `θ_y > 180° - m`, `cos θ_y + cos m - 1` stands in for `cos(θ_y + m)`, which would
        rise again.

    Args:
        margin_degrees: `m`, a number in [0, 90]. The paper takes 0.5 radians, 28.6 degrees.
        scale: `s`, a number in (0, inf). Should grow with the logarithm of the number of
            classes.

    Shapes:
        `y_true`: class indices `(batch,)` or `(batch, 1)`, whole numbers of any dtype, or one-hot
        `(batch, classes)`. `y_pred`: cosines `(batch, classes)`. Unreduced: `(batch,)`.

    Behaviour:
        Each sample on its own. Half precision is computed in float32. Angles are never computed, so
        that the gradient is finite also where they are 0 or 180 degrees. Beyond half a turn the
        value is continuous; differs from the authors' code and from pytorch-metric-learning, which
        subtract `m sin m` there and step down where the two meet. The predictions carry no margin,
        so that accuracy is that of the nearest class vector. A label that is no class raises an
        error, or gives NaN where the step is compiled.

    Example:
        Right at 30 degrees, wrong at 60: with a margin of 30 they are even, log 2.

        >>> from keras import ops
        >>> loss = ArcFace(margin_degrees=30.0)
        >>> cos = ops.convert_to_tensor([[3**0.5 / 2, 0.5]])
        >>> round(float(loss(ops.convert_to_tensor([0]), cos)), 4)
        0.6931
    """

    def __init__(self, margin_degrees: float = 28.6, scale: float = 64.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.margin_degrees = checks.number(self, "margin_degrees", margin_degrees, "[0, 90]")
        self.scale = checks.number(self, "scale", scale, "(0, inf)")

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        cos = class_similarities(self, y_pred)
        m = math.radians(self.margin_degrees)
        return margin_crossentropy(
            y_true, cos, lambda cos_y: cosine_of_wider_angle(cos_y, m), self.scale
        )
