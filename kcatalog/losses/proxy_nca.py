from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.similarity_loss import SimilarityLoss
from kcatalog.ops.labels import class_distribution
from kcatalog.ops.margins import class_similarities
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "No Fuss Distance Metric Learning using Proxies",
        "Movshovitz-Attias, Toshev, Leung, Ioffe, Singh",
        2017,
        "https://arxiv.org/abs/1703.07464",
        "algorithm 1",
    ),
    equation="l = -log(exp(-D_y) / Σ_{j ≠ y} exp(-D_j)),  D_j = ‖x - w_j‖² / T on the unit sphere",
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={"temperature": Float(0.05, 2.0, log=True), "include_positive": Choice(False, True)},
    example=Example({"temperature": 0.5}, shape=(6,), targets="labels", predictions="cosines"),
)
class ProxyNCA(SimilarityLoss):
    """Neighbourhood components analysis with one proxy for each class.

    A sample meets proxies of all classes in place of the other samples of its batch: no pairs, no
    mining, any batch. `ProxyAnchor` and `NormalizedSoftmax` mostly retrieve better. What has
    weights is a layer and a loss has none: the proxies are those of `kcatalog.layers.Prototypes`,
    the model's last layer in training; the layer before it gives the embeddings.

    Maths:
        `l = -log(exp(-D_y) / Σ_{j ≠ y} exp(-D_j))` with `D_j = ‖x - w_j‖² / T = 2 (1 - s_j) / T`,
        for `x` and `w` have length 1, `s` = `y_pred`, `y` = `y_true` and `T` = `temperature`. The
        paper's `T` is 1.

    Args:
        temperature: `T`, in units of the squared distance, a number in (0, inf). ProxyNCA++
            (https://arxiv.org/abs/2004.01113) takes 1/9.
        include_positive: True for a sum over all `j`, as in ProxyNCA++ and
            pytorch-metric-learning: the loss is then `NormalizedSoftmax(temperature=T / 2)`. False
            is the paper's; it goes on pulling where a sample is right already.

    Shapes:
        `y_true`: class indices `(batch,)` or `(batch, 1)`, whole numbers of any dtype, or one-hot
        `(batch, classes)`. `y_pred`: cosines `(batch, classes)`. Unreduced: `(batch,)`.

    Behaviour:
        Each sample on its own. Negative where the right proxy is much the nearest, unless
        `include_positive`. With a single class the loss is 0. Half precision is computed in
        float32. A label that is no class raises an error, or gives NaN where the step is compiled.

    Example:
        Squared distances are 0.8 to the right proxy and 2 and 2 to the others: 0.8 - 2 + log 2.

        >>> loss = ProxyNCA()
        >>> s = ops.convert_to_tensor([[0.6, 0.0, 0.0]])
        >>> round(float(loss(ops.convert_to_tensor([0]), s)), 4)
        -0.5069
    """

    def __init__(self, temperature: float = 1.0, include_positive: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.temperature = checks.number(self, "temperature", temperature, "(0, inf)")
        self.include_positive = checks.boolean(self, "include_positive", include_positive)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        s = class_similarities(self, y_pred)
        y = class_distribution(y_true, s)
        D = 2 * (1 - s) / self.temperature
        D_y = ops.sum(y * D, axis=-1)
        if self.include_positive:
            D_j = -ops.logsumexp(-D, axis=-1)
        elif s.shape[-1] == 1:
            D_j = D_y
        else:
            D_j = -ops.logsumexp(ops.where(y > 0, -float("inf"), -D), axis=-1)
        return D_y - D_j
