from typing import Any

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.similarity_loss import SimilarityLoss
from kcatalog.ops.margins import class_similarities, margin_crossentropy
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "CosFace: Large Margin Cosine Loss for Deep Face Recognition",
        "Wang, Wang, Zhou, Ji, Gong, Zhou, Li, Liu",
        2018,
        "https://arxiv.org/abs/1801.09414",
        "equation 4",
    ),
    equation="l = -log softmax(s · (cos θ_y - m), s · cos θ_j),  cos θ_j = cos(x, w_j)",
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={"margin": Float(0.0, 0.5), "scale": Float(8.0, 128.0, log=True)},
    example=Example(
        {"margin": 0.2, "scale": 8.0}, shape=(6,), targets="labels", predictions="cosines"
    ),
)
class CosFace(SimilarityLoss):
    """Softmax of cosines with an additive margin on the cosine (also AM-softmax).

    Embeddings of a class draw together and classes apart by more than is needed to tell them.
    Made for faces, of use wherever new classes come after training. The easiest of the margins
    to train; `ArcFace` sets its margin on the angle. What has weights is a layer and a loss has
    none: the class vectors are those of `kcatalog.layers.Prototypes`, the model's last layer in
    training; the layer before it gives the embeddings. For few, fixed classes plain cross-entropy
    does.

    Maths:
        `l = -log(exp(s (cos θ_y - m)) / (exp(s (cos θ_y - m)) + Σ_{j ≠ y} exp(s cos θ_j)))`, with
        `cos θ` = `y_pred`, `y` = `y_true`, `m` = `margin` and `s` = `scale`.

    Args:
        margin: `m`, in units of the cosine, a number in [0, inf). The paper takes 0.35; with many
            classes in few features less.
        scale: `s`, a number in (0, inf). Should grow with the logarithm of the number of
            classes.

    Shapes:
        `y_true`: class indices `(batch,)` or `(batch, 1)`, whole numbers of any dtype, or one-hot
        `(batch, classes)`. `y_pred`: cosines `(batch, classes)`. Unreduced: `(batch,)`.

    Behaviour:
        Each sample on its own. Half precision is computed in float32. The predictions carry no
        margin, so that accuracy is that of the nearest class vector, in training as in evaluation.
        A label that is no class raises an error, or gives NaN where the step is compiled.

    Example:
        The right class leads by just the margin, which makes it even odds, log 2:

        >>> from keras import ops
        >>> loss = CosFace(margin=0.5)
        >>> s = ops.convert_to_tensor([[0.75, 0.25]])
        >>> round(float(loss(ops.convert_to_tensor([0]), s)), 4)
        0.6931
    """

    def __init__(self, margin: float = 0.35, scale: float = 64.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.margin = checks.number(self, "margin", margin, "[0, inf)")
        self.scale = checks.number(self, "scale", scale, "(0, inf)")

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        cos = class_similarities(self, y_pred)
        return margin_crossentropy(y_true, cos, lambda cos_y: cos_y - self.margin, self.scale)
