from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.similarity_loss import SimilarityLoss
from kcatalog.ops.margins import class_similarities
from kcatalog.ops.probabilities import crossentropy
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Classification is a Strong Baseline for Deep Metric Learning",
        "Zhai, Wu",
        2019,
        "https://arxiv.org/abs/1811.12649",
        "section 3",
    ),
    equation="l = -log(exp(s_y / T) / Σ_j exp(s_j / T)),  s_j = cos(x, w_j)",
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={"temperature": Float(0.01, 1.0, log=True)},
    example=Example({"temperature": 0.1}, shape=(6,), targets="labels", predictions="cosines"),
)
class NormalizedSoftmax(SimilarityLoss):
    """Cross-entropy of cosines over a temperature.

    The plain way to embeddings from class labels, and the one to beat: no pairs, no mining, any
    batch. `CosFace` and `ArcFace` add a margin. What has weights is a layer and a loss has none:
    the class vectors are those of `kcatalog.layers.Prototypes`, the model's last layer in
    training; the layer before it gives the embeddings. Not for labels that are not classes.

    Maths:
        `l = -log(exp(s_y / T) / Σ_j exp(s_j / T))`, with `s` = `y_pred`, `y` = `y_true` and
        `T` = `temperature`.

    Args:
        temperature: `T`, in units of the cosine, a number in (0, inf). Large ones pull less: at 1,
            with 1000 classes, even a perfect sample has a probability below 1/100.

    Shapes:
        `y_true`: class indices `(batch,)` or `(batch, 1)`, whole numbers of any dtype, or one-hot
        `(batch, classes)`. `y_pred`: cosines `(batch, classes)`. Unreduced: `(batch,)`.

    Behaviour:
        Each sample on its own. Half precision is computed in float32. A label that is no class
        raises an error, or gives NaN where the step is compiled.

    Example:
        A difference of log(3) / 2 at a temperature of 1/2 makes 3 to 1: -log(3/4).

        >>> loss = NormalizedSoftmax(temperature=0.5)
        >>> s = ops.convert_to_tensor([[0.5493, 0.0]])
        >>> round(float(loss(ops.convert_to_tensor([0]), s)), 4)
        0.2877
    """

    def __init__(self, temperature: float = 0.05, **kwargs: Any):
        super().__init__(**kwargs)
        self.temperature = checks.number(self, "temperature", temperature, "(0, inf)")

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        s = class_similarities(self, y_pred)
        return crossentropy(y_true, ops.log_softmax(s / self.temperature, axis=-1))
