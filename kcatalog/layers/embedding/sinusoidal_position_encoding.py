from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Paper
from kcatalog.ops.positions import sinusoids
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Attention Is All You Need",
        "Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin",
        2017,
        "https://arxiv.org/abs/1706.03762",
        "section 3.5",
    ),
    tags=("shape-preserving", "masking"),
    example=Example({"max_wavelength": 100.0}, shape=(5, 4)),
)
class SinusoidalPositionEncoding(keras.layers.Layer):
    """Sinusoidal position encoding: fixed sines and cosines of each position.

    Add it to embeddings. It has no weights and takes sequences of any length, but models do not
    always work well on lengths they were not trained on; `RotaryEmbedding` and `ALiBi` often do
    better there. For feature maps each axis is encoded in its half of the features.

    Maths:
        `y[p, 2i] = sin(p / w^(2i / d))`, `y[p, 2i + 1] = cos(p / w^(2i / d))`, with position `p`,
        `w` = `max_wavelength` and `d` features. In two dimensions the first `d / 2` features encode
        the row in this way, the others the column.

    Args:
        max_wavelength: `w`, a number in (0, inf). The longest wave takes almost `2 π w` steps.

    Shapes:
        Input `(batch, steps, features)` or `(batch, height, width, features)`, the latter with an
        even number of features; only the shape is used. Output the same.

    Behaviour:
        Training and inference are the same. Deterministic. A mask is passed on; add the result by
        `keras.layers.Add`, which keeps the mask too. Angles are computed in float32. For sequences
        `call` takes a `start_index`, an integer or a scalar tensor, to continue one.

    Example:
        >>> y = SinusoidalPositionEncoding(max_wavelength=100.0)(ops.zeros((1, 2, 4)))
        >>> print(ops.convert_to_numpy(y)[0].round(3))
        [[0.    1.    0.    1.   ]
         [0.841 0.54  0.1   0.995]]
    """

    def __init__(self, max_wavelength: float = 10000.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.max_wavelength = checks.number(self, "max_wavelength", max_wavelength, "(0, inf)")
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        axes = "(batch, steps, features) or (batch, height, width, features)"
        if len(input_shape) not in (3, 4):
            raise checks.error(self, "input_shape", axes, tuple(input_shape))
        features = checks.known_axis(self, input_shape, -1, "features")
        if len(input_shape) == 4 and features % 2:
            rule = "a shape with an even number of features, half of them for each axis"
            raise checks.error(self, "input_shape", rule, tuple(input_shape))
        self.input_spec = keras.layers.InputSpec(ndim=len(input_shape), axes={-1: features})

    def call(self, x: Tensor, start_index: int = 0) -> Tensor:
        shape, features, w = ops.shape(x), x.shape[-1], self.max_wavelength
        if len(shape) == 3:
            y = sinusoids(start_index + ops.arange(shape[1]), features, w)
        else:
            _, height, width, _ = shape
            rows = sinusoids(ops.arange(height), features // 2, w)[:, None]
            columns = sinusoids(ops.arange(width), features // 2, w)[None]
            half = (height, width, features // 2)
            halves = [ops.broadcast_to(axis, half) for axis in (rows, columns)]
            y = ops.concatenate(halves, axis=-1)
        return ops.broadcast_to(ops.cast(y, self.compute_dtype), shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
