from typing import Any

import keras

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Going Deeper with Image Transformers",
        "Touvron, Cord, Sablayrolles, Synnaeve, Jégou",
        2021,
        "https://arxiv.org/abs/2103.17239",
        "section 2, LayerScale",
    ),
    tags=("shape-preserving", "masking"),
    space={"init_values": Float(1e-6, 1.0, log=True)},
    example=Example({"init_values": 0.5}, shape=(4, 3)),
)
class LayerScale(keras.layers.Layer):
    """LayerScale: a learned factor per channel, small at the start.

    Put it at the end of a residual branch, before the sum: `x + LayerScale()(branch(x))`. Each
    block then starts near the identity, which lets deep residual networks and transformers
    train; the paper takes 0.1 up to 18 blocks, 1e-5 for 24 and 1e-6 beyond. A shallow network
    needs it less, and a tiny start slows the little training that it gets. Not outside of a
    residual branch: there it only shrinks the signal.

    Maths:
        `y = diag(λ) x` over the last axis, with one learned `λ` per channel, all of which start
        at `ε` = `init_values`.

    Args:
        init_values: `ε`, the value that every factor starts at, a number in (0, inf).

    Shapes:
        Input `(batch, ..., channels)`, output the same.

    Behaviour:
        Training and inference are the same. Deterministic. `channels` must be known. A mask is
        passed on.

    Example:
        Before training, every channel is scaled by `init_values`:

        >>> layer = LayerScale(init_values=0.5)
        >>> y = layer(keras.ops.convert_to_tensor([[1.0, 2.0, 5.0]]))
        >>> print(keras.ops.convert_to_numpy(y))
        [[0.5 1.  2.5]]
    """

    def __init__(self, init_values: float = 1e-4, **kwargs: Any):
        super().__init__(**kwargs)
        self.init_values = checks.number(self, "init_values", init_values, "(0, inf)")
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        channels = checks.known_axis(self, input_shape, -1, "channels")
        self.input_spec = keras.layers.InputSpec(axes={-1: channels})
        init = keras.initializers.Constant(self.init_values)
        self._lambda = self.add_weight((channels,), init, name="lambda")

    def call(self, x: Tensor) -> Tensor:
        return self._lambda * x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
