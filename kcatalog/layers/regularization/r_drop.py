from typing import Any

import keras

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper, Part
from kcatalog.losses.symmetric_divergence import SymmetricDivergence
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "R-Drop: Regularized Dropout for Neural Networks",
        "Liang, Wu, Li, Wang, Meng, Qin, Chen, Zhang, Liu",
        2021,
        "https://arxiv.org/abs/2106.14448",
        "equations 1 to 4",
    ),
    space={"factor": Float(0.1, 5.0, log=True), "from_logits": Choice(False, True)},
    example=Example(
        {
            "model": Part(
                "keras.Sequential",
                layers=[Part("keras.Input", shape=(3,)), Part("keras.layers.Dense", units=4)],
            ),
            "factor": 2.0,
            "from_logits": True,
        },
        shape=(3,),
    ),
    exemptions={
        "shapes_refused": "the wrapped model refuses a shape in its own words",
        "half_precision-mixed_float16": "the wrapped model has its own dtype, and often a "
        "float32 output, which must stay so",
        "half_precision-mixed_bfloat16": "the wrapped model has its own dtype, and often a "
        "float32 output, which must stay so",
    },
)
class RDrop(keras.Model):
    """R-Drop: a model trained to answer alike under two dropout masks.

    For classifiers and sequence models with dropout, fine-tuned transformers above all. Wrap the
    model, then compile and fit the wrapper as you would the model: `RDrop(model).compile(...)`.
    Each step costs two passes through the model. Without dropout in the model it changes nothing.
    Every output must hold classes: for regression take the model itself.

    Maths:
        `L = (H(p) + H(q)) / 2 + α/4 (KL(p ‖ q) + KL(q ‖ p))` for the predictions `p` and `q` of
        two passes, with the compiled loss `H` and `α` = `factor`. This is half of the paper's
        sum, so that without a penalty it is the loss that Keras reports.

    Args:
        model: The model to train, a Keras model whose outputs are classes.
        factor: `α`, the weight of the penalty, a number in [0, inf). The paper takes 1 to 5.
        from_logits: True where the outputs are logits, as in the compiled loss.

    Shapes:
        Those of `model`. Outputs `(batch, ..., classes)`, or `(batch, ..., 1)` with the probability
        or logit of one of two classes.

    Behaviour:
        Calls, evaluation, prediction and exports are those of `model`; `compute_loss` makes the
        second pass, in training only. Metrics are those of the first pass. Sample weights and masks
        count in the penalty as in the loss. Batch normalization in `model` sees each batch twice.
        The penalty is computed in float32.

    Example:
        With `H` = 0, dropped and doubled logits of 1 cost `2 tanh 1` on average:

        >>> inner = keras.Sequential([keras.layers.Dropout(0.5, seed=1)])
        >>> model = RDrop(inner, factor=4.0, from_logits=True)
        >>> model.compile(loss=lambda y_true, y_pred: 0.0 * y_pred)
        >>> x = keras.ops.ones((1, 100000))
        >>> loss = model.compute_loss(x, x, model(x, training=True))
        >>> round(float(loss), 1)
        1.5
    """

    def __init__(
        self, model: keras.Model, factor: float = 1.0, from_logits: bool = False, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.model = checks.instance(self, "model", model, keras.Model, "a Keras model")
        self.factor = checks.number(self, "factor", factor, "[0, inf)")
        self.from_logits = checks.boolean(self, "from_logits", from_logits)

    def build(self, input_shape: Shape) -> None:
        if not self.model.built:
            self.model.build(input_shape)

    def call(
        self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None
    ) -> Tensor:
        return self.model(inputs, training=training, mask=mask)

    def compute_loss(
        self,
        x: Tensor | None = None,
        y: Tensor | None = None,
        y_pred: Tensor | None = None,
        sample_weight: Tensor | None = None,
        training: bool | None = True,
    ) -> Tensor:
        """Return the compiled loss; in training, of two passes and with the penalty."""
        first = super().compute_loss(x, y, y_pred, sample_weight, training)
        if not training:
            return first
        again = self(x, training=True)
        second = super().compute_loss(x, y, again, sample_weight, training)
        penalty = SymmetricDivergence(self.from_logits)
        p, q = keras.tree.flatten(y_pred), keras.tree.flatten(again)
        weights = keras.tree.flatten(sample_weight)
        weights = weights if len(weights) == len(p) else [sample_weight] * len(p)
        divergence = sum(map(penalty, p, q, weights))
        return (first + second) / 2 + self.factor / 4 * divergence

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.model.compute_output_shape(input_shape)
