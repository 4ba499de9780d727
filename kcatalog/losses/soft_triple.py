from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.similarity_loss import SimilarityLoss
from kcatalog.ops.margins import center_similarities, margin_crossentropy
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "SoftTriple Loss: Deep Metric Learning Without Triplet Sampling",
        "Qian, Shang, Sun, Hu, Li, Jin",
        2019,
        "https://arxiv.org/abs/1909.05235",
        "the loss with several centers",
    ),
    equation="l = -log softmax(λ (S_y - δ), λ S_j),  S_j = Σ_k softmax_k(s_jk / γ) s_jk",
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={
        "margin": Float(0.0, 0.1),
        "scale": Float(5.0, 50.0, log=True),
        "gamma": Float(0.05, 1.0, log=True),
    },
    example=Example(
        {"margin": 0.05, "scale": 5.0, "gamma": 0.3},
        shape=(6, 3),
        targets="labels",
        predictions="cosines",
        classes=6,
    ),
)
class SoftTriple(SimilarityLoss):
    """Softmax over classes with several centers each, pooled softly.

    For classes that are made of several clusters, such as birds in several poses. Without a
    penalty all centers remain; `kcatalog.regularizers.SparseCenters` merges those that a class
    does not need. What has weights is a layer and a loss has none: the centers are those of
    `kcatalog.layers.Prototypes(classes, per_class=10, regularizer=SparseCenters(0.2))`, the
    model's last layer in training; the layer before it gives the embeddings.

    Maths:
        `l = -log(exp(λ (S_y - δ)) / (exp(λ (S_y - δ)) + Σ_{j ≠ y} exp(λ S_j)))` and
        `S_j = Σ_k softmax_k(s_jk / γ) s_jk`, with `s` = `y_pred`, `y` = `y_true`, `δ` = `margin`,
        `λ` = `scale` and `γ` = `gamma`.

    Args:
        margin: `δ`, in units of the cosine, a number in [0, inf). The paper takes 0.01.
        scale: `λ`, a number in (0, inf). The paper takes 20.
        gamma: `γ`, in units of the cosine, a number in (0, inf): small ones single out the nearest
            center. The paper takes 0.1.

    Shapes:
        `y_true`: class indices `(batch,)` or `(batch, 1)`, whole numbers of any dtype, or one-hot
        `(batch, classes)`. `y_pred`: cosines `(batch, classes, per_class)`; `(batch, classes)`
        counts as one center a class. Unreduced: `(batch,)`.

    Behaviour:
        Each sample on its own. Half precision is computed in float32. Coming closer to a far center
        alone may raise the loss a little, as it draws weight from the near one. A label that is no
        class raises an error, or gives NaN where the step is compiled.

    Example:
        Two centers at one cosine are as one, S = (0.5, 0), and the margin makes it log 2:

        >>> loss = SoftTriple(margin=0.5)
        >>> s = ops.convert_to_tensor([[[0.5, 0.5], [0.0, 0.0]]])
        >>> round(float(loss(ops.convert_to_tensor([0]), s)), 4)
        0.6931
    """

    def __init__(
        self, margin: float = 0.01, scale: float = 20.0, gamma: float = 0.1, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.margin = checks.number(self, "margin", margin, "[0, inf)")
        self.scale = checks.number(self, "scale", scale, "(0, inf)")
        self.gamma = checks.number(self, "gamma", gamma, "(0, inf)")

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        s = center_similarities(self, y_pred)
        one = s.shape[-1] == 1  # of which Keras's softmax warns
        S = s[..., 0] if one else ops.sum(ops.softmax(s / self.gamma, axis=-1) * s, axis=-1)
        return margin_crossentropy(y_true, S, lambda S_y: S_y - self.margin, self.scale)
