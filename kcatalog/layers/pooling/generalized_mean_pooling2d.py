from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.layers.pooling.generalized_mean_pooling import GeneralizedMeanPooling
from kcatalog.registry import component


@component(
    paper=Paper(
        "Fine-tuning CNN Image Retrieval with No Human Annotation",
        "Radenović, Tolias, Chum",
        2018,
        "https://arxiv.org/abs/1711.02512",
        "equation 3",
    ),
    space={"p": Float(1.0, 10.0), "learnable": Choice(False, True)},
    example=Example({"p": 2.0, "learnable": False}, shape=(4, 5, 3)),
)
class GeneralizedMeanPooling2D(GeneralizedMeanPooling):
    """Generalized-mean (GeM) pooling: one number per channel, with a learned exponent.

    `p = 1` is the average, `p → ∞` the maximum; in between, strong activations count for more.
    The standard last pooling for image retrieval and metric learning. For activations that are
    not negative, such as those after ReLU: anything below `epsilon` counts as `epsilon`.

    Maths:
        `y = (1/N Σ xᵖ)^(1/p)` over the `N` pixels of a channel, with `x ≥ epsilon`. Computed as
        `exp((log Σ exp(p log x) - log N) / p)`, where no power can overflow.

    Shapes:
        Input `(batch, height, width, channels)`; output `(batch, channels)`, or
        `(batch, 1, 1, channels)` with `keepdims=True`.

    Behaviour:
        Training and inference are the same. Deterministic. Half precision is pooled in
        float32. The gradient is finite everywhere, and 0 for activations below `epsilon`.

    Example:
        The cubic mean of 1, 2, 3 and 4 is 25^(1/3):

        >>> import keras
        >>> x = keras.ops.reshape(keras.ops.convert_to_tensor([1.0, 2.0, 3.0, 4.0]), (1, 2, 2, 1))
        >>> y = GeneralizedMeanPooling2D(p=3.0)(x)
        >>> print(f"{keras.ops.convert_to_numpy(y)[0, 0]:.4f}")
        2.9240
    """
