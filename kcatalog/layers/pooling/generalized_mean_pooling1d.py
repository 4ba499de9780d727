from typing import Any

from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.layers.pooling.generalized_mean_pooling import GeneralizedMeanPooling
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Fine-tuning CNN Image Retrieval with No Human Annotation",
        "Radenović, Tolias, Chum",
        2018,
        "https://arxiv.org/abs/1711.02512",
        "equation 3",
    ),
    tags=("masking",),
    space={"p": Float(1.0, 10.0), "learnable": Choice(False, True)},
    example=Example({"p": 2.0, "learnable": False}, shape=(5, 4)),
)
class GeneralizedMeanPooling1D(GeneralizedMeanPooling):
    """Generalized-mean (GeM) pooling of sequences: one number per channel, learned exponent.

    `p = 1` is the average over the steps, `p → ∞` the maximum; in between, strong activations count
    for more. For retrieval of sounds and texts. For activations that are not negative, such as
    those after ReLU: anything below `epsilon` counts as `epsilon`.

    Maths:
        `y = (1/N Σ xᵖ)^(1/p)` over the `N` real steps of a channel, with `x ≥ epsilon`. Computed
        as `exp((log Σ exp(p log x) - log N) / p)`, where no power can overflow.

    Shapes:
        Input `(batch, steps, channels)`; output `(batch, channels)`, or `(batch, 1, channels)`
        with `keepdims=True`.

    Behaviour:
        Training and inference are the same. Deterministic. Half precision is pooled in
        float32. The gradient is finite everywhere, and 0 for activations below `epsilon`. Masked
        steps do not count; a row of padding only gives 0. The mask ends here.

    Example:
        The cubic mean of 1, 2, 3 and 4 is 25^(1/3):

        >>> import keras
        >>> x = keras.ops.reshape(keras.ops.convert_to_tensor([1.0, 2.0, 3.0, 4.0]), (1, 4, 1))
        >>> y = GeneralizedMeanPooling1D(p=3.0)(x)
        >>> print(f"{keras.ops.convert_to_numpy(y)[0, 0]:.4f}")
        2.9240
    """

    spatial = 1

    def __init__(
        self,
        p: float = 3.0,
        learnable: bool = True,
        epsilon: float = 1e-6,
        keepdims: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(p, learnable, epsilon, keepdims, data_format, **kwargs)
        self.supports_masking = True

    def call(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.call_turned(x, mask=mask)

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:
        return None
