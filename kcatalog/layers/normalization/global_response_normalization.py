from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.ops.norms import scaled_norm
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "ConvNeXt V2: Co-designing and Scaling ConvNets with Masked Autoencoders",
        "Woo, Debnath, Hu, Chen, Liu, Kweon, Xie",
        2023,
        "https://arxiv.org/abs/2301.00808",
        "equations 1 to 3",
    ),
    equation="y = γ x · g / mean(g) + β + x,  g = ‖x‖ of each channel",
    tags=("shape-preserving",),
    space={"epsilon": Float(1e-6, 1e-3, log=True)},
    example=Example({"gamma_initializer": "ones"}, shape=(5, 4, 6)),
)
class GlobalResponseNormalization(ImageLayer):
    """Global response normalization: channels compete, the strong ones are made stronger.

    Keeps channels from all learning the same (feature collapse). In ConvNeXt V2 it follows the
    activation of the wide hidden layer of each block and takes the place of `LayerScale`. It does
    not normalize scale in the usual sense: at the start it is the identity.

    Maths:
        `g = ‖x‖`, the Euclidean norm of a channel over height and width;
        `n = g / (mean(g) + ε)`, with the mean over the channels; `y = γ (x · n) + β + x`.

    Args:
        epsilon: `ε`, a number in (0, inf).
        gamma_initializer: Initializer of `γ`.
        beta_initializer: Initializer of `β`.
        gamma_regularizer: Regularizer of `γ`, or None.
        beta_regularizer: Regularizer of `β`, or None.

    Shapes:
        Input `(batch, height, width, channels)`, output the same.

    Behaviour:
        Training and inference are the same, batches do not matter. Deterministic. Norms are
        computed in float32 and do not overflow.

    Example:
        The norms are 3 and 1, their mean 2:

        >>> import keras
        >>> layer = GlobalResponseNormalization(gamma_initializer="ones")
        >>> y = layer(keras.ops.convert_to_tensor([[[[3.0, 1.0]]]]))
        >>> print(keras.ops.convert_to_numpy(y).round(3).ravel())
        [7.5 1.5]
    """

    def __init__(
        self,
        epsilon: float = 1e-6,
        gamma_initializer: KerasObject = "zeros",
        beta_initializer: KerasObject = "zeros",
        gamma_regularizer: KerasObject | None = None,
        beta_regularizer: KerasObject | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, inf)")
        self.gamma_initializer = checks.initializer(self, "gamma_initializer", gamma_initializer)
        self.beta_initializer = checks.initializer(self, "beta_initializer", beta_initializer)
        self.gamma_regularizer = checks.regularizer(self, "gamma_regularizer", gamma_regularizer)
        self.beta_regularizer = checks.regularizer(self, "beta_regularizer", beta_regularizer)

    def build_images(self, input_shape: Shape) -> None:
        for name in ("gamma", "beta"):
            weight = self.add_weight(
                input_shape[-1:],
                getattr(self, f"{name}_initializer"),
                regularizer=getattr(self, f"{name}_regularizer"),
                name=name,
            )
            setattr(self, f"_{name}", weight)

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        m, r = scaled_norm(x, axis=(1, 2))  # g = m r
        g = m * r
        n = ops.cast(g / (ops.mean(g, axis=-1, keepdims=True) + self.epsilon), x.dtype)
        return self._gamma * (x * n) + self._beta + x
