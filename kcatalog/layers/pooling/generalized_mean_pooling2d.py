import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.ops.precision import as_floats
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
class GeneralizedMeanPooling2D(keras.layers.Layer):
    """Generalized-mean (GeM) pooling: one number per channel, with a learned exponent.

    `p = 1` is the average, `p → ∞` the maximum; in between, strong activations count for more.
    The standard last pooling for image retrieval and metric learning. For activations that are
    not negative, such as those after ReLU: anything below `epsilon` counts as `epsilon`.

    Maths:
        `y = (1/N Σ xᵖ)^(1/p)` over the `N` pixels of a channel, with `x ≥ epsilon`. Computed as
        `exp((log Σ exp(p log x) - log N) / p)`, where no power can overflow.

    Args:
        p: The exponent, or its start if `learnable`, a number in [1, inf).
        learnable: Whether one `p` for all channels is trained; it is kept at 1 or more.
        epsilon: The smallest activation, a number in (0, inf).
        keepdims: Whether the output keeps height and width as axes of size 1.

    Shapes:
        Input `(batch, height, width, channels)`; output `(batch, channels)`, or
        `(batch, 1, 1, channels)` with `keepdims=True`.

    Behaviour:
        Training and inference are the same. Deterministic. Half precision is pooled in
        float32. The gradient is finite everywhere, and 0 for activations below `epsilon`.

    Example:
        The cubic mean of 1, 2, 3 and 4 is 25^(1/3):

        >>> x = keras.ops.reshape(keras.ops.convert_to_tensor([1.0, 2.0, 3.0, 4.0]), (1, 2, 2, 1))
        >>> y = GeneralizedMeanPooling2D(p=3.0)(x)
        >>> print(f"{keras.ops.convert_to_numpy(y)[0, 0]:.4f}")
        2.9240
    """

    def __init__(self, p=3.0, learnable=True, epsilon=1e-6, keepdims=False, **kwargs):
        super().__init__(**kwargs)
        self.p = checks.number(self, "p", p, "[1, inf)")
        self.learnable = checks.boolean(self, "learnable", learnable)
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, inf)")
        self.keepdims = checks.boolean(self, "keepdims", keepdims)

    def build(self, input_shape):
        checks.rank(self, input_shape, 4, "(batch, height, width, channels)")
        self.input_spec = keras.layers.InputSpec(ndim=4)
        start = keras.initializers.Constant(self.p)
        # differs from the paper: p is kept from falling below the average's 1
        self._p = self.add_weight(
            (), start, trainable=self.learnable, constraint=_AtLeastOne(), autocast=False, name="p"
        )

    def call(self, x):
        x = as_floats(x, self.compute_dtype)
        _, height, width, _ = ops.shape(x)
        wide = ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
        p = ops.cast(self._p, wide.dtype)
        log_N = ops.log(ops.cast(height * width, wide.dtype))
        log_x = ops.log(ops.maximum(wide, self.epsilon))
        log_sum = ops.logsumexp(p * log_x, axis=(1, 2), keepdims=self.keepdims)
        return ops.cast(ops.exp((log_sum - log_N) / p), x.dtype)

    def compute_output_shape(self, input_shape):
        batch, _, _, channels = input_shape
        return (batch, 1, 1, channels) if self.keepdims else (batch, channels)


class _AtLeastOne(keras.constraints.Constraint):  # Keras 3.13 takes no function here
    def __call__(self, w):
        return ops.maximum(w, 1.0)
