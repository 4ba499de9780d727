import math
from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Int, Paper
from kcatalog.losses.similarity_loss import SimilarityLoss
from kcatalog.ops.margins import class_similarities, margin_crossentropy
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "SphereFace: Deep Hypersphere Embedding for Face Recognition",
        "Liu, Wen, Yu, Li, Raj, Song",
        2017,
        "https://arxiv.org/abs/1704.08063",
        "equation 7",
    ),
    equation="l = -log softmax(s · ψ(θ_y), s · cos θ_j),  ψ(θ) = (-1)^k cos(m θ) - 2 k",
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={"margin": Int(1, 4), "scale": Float(8.0, 128.0, log=True)},
    example=Example(
        {"margin": 3, "scale": 8.0}, shape=(6,), targets="labels", predictions="cosines"
    ),
)
class SphereFace(SimilarityLoss):
    """Softmax of cosines with a multiplicative margin on the angle (A-softmax).

    The first of the angular margins, kept for comparison: `CosFace` and `ArcFace` train more
    easily. A margin of 4 is hard on a network from scratch; the authors blend it in, here begin
    with 2. What has weights is a layer and a loss has none: the class vectors are those of
    `kcatalog.layers.Prototypes`, the model's last layer in training; the layer before it gives the
    embeddings.

    Maths:
        `l = -log(exp(s ψ(θ_y)) / (exp(s ψ(θ_y)) + Σ_{j ≠ y} exp(s cos θ_j)))` and
        `ψ(θ) = (-1)^k cos(m θ) - 2 k` for `θ` from `k π / m` to `(k + 1) π / m`, with
        `cos θ` = `y_pred`, `y` = `y_true`, `m` = `margin` and `s` = `scale`.

    Args:
        margin: `m`, how often the angle is taken, an integer in [1, inf). The paper takes 4.
        scale: `s`, a number in (0, inf).

    Shapes:
        `y_true`: class indices `(batch,)` or `(batch, 1)`, whole numbers of any dtype, or one-hot
        `(batch, classes)`. `y_pred`: cosines `(batch, classes)`. Unreduced: `(batch,)`.

    Behaviour:
        Each sample on its own. Half precision is computed in float32. Differs from the paper and
        from pytorch-metric-learning: `s` is fixed where they take the length of the embedding,
        which lets the loss fall by lengthening instead of turning it; SphereFace-R
        (https://arxiv.org/abs/2109.05565) fixes it too. `cos(m θ)` is a polynomial of `cos θ`:
        angles are never computed, and the slope is `m²` at most. `ψ` is continuous and falls in
        `θ` throughout.

    Example:
        At 60 degrees, doubled to 120, ψ = -1/2; the wrong class is at 0: log(1 + e^0.5).

        >>> loss = SphereFace(margin=2, scale=1.0)
        >>> cos = ops.convert_to_tensor([[0.5, 0.0]])
        >>> round(float(loss(ops.convert_to_tensor([0]), cos)), 4)
        0.9741
    """

    def __init__(self, margin: int = 4, scale: float = 30.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.margin = checks.integer(self, "margin", margin, "[1, inf)")
        self.scale = checks.number(self, "scale", scale, "(0, inf)")

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        cos = class_similarities(self, y_pred)
        return margin_crossentropy(y_true, cos, self._psi, self.scale)

    def _psi(self, cos):
        m = self.margin
        before, cos_m = ops.ones_like(cos), cos  # cos 0θ, cos 1θ, then Chebyshev's recurrence
        for _ in range(m - 1):
            before, cos_m = cos_m, 2 * cos * cos_m - before
        ends = [math.cos(i * math.pi / m) for i in range(1, m)]
        k = sum((ops.cast(cos < end, cos.dtype) for end in ends), ops.zeros_like(cos))
        return (1 - 2 * (k % 2)) * cos_m - 2 * k
