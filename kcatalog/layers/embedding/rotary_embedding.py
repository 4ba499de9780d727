from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Paper
from kcatalog.ops.positions import angles, rotate
from kcatalog.ops.precision import as_floats
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "RoFormer: Enhanced Transformer with Rotary Position Embedding",
        "Su, Lu, Pan, Murtadha, Wen, Liu",
        2021,
        "https://arxiv.org/abs/2104.09864",
        "equation 34",
    ),
    tags=("shape-preserving", "masking"),
    example=Example({"max_wavelength": 100.0, "interleaved": True}, shape=(5, 4)),
)
class RotaryEmbedding(keras.layers.Layer):
    """Rotary position embedding: pairs of features turned by angles that grow with the position.

    Apply it to the queries and keys of each attention head. Their inner products then depend on
    the content and on the distance of two steps, and on nothing else of their positions.
    `TransformerEncoderBlock` and `TransformerDecoderBlock` do this with `rotary=True`.

    Maths:
        `y = (u cos(t θ) - v sin(t θ), u sin(t θ) + v cos(t θ))` for each pair `(u, v)` of features
        of step `t`, with `θ[i] = w^(-2i / d)` for pair `i`, `w` = `max_wavelength` and `d`
        features. Pair `i` is features `i` and `i + d / 2`, as in Llama, or `2i` and `2i + 1` if
        `interleaved`, as in the paper; either is the other with its features in another order.

    Args:
        max_wavelength: `w`, a number in (0, inf).
        scaling_factor: Positions are divided by this, a number in (0, inf). A model trained on
            `n` steps can be tuned to `k n` steps with `k`.
        sequence_axis: The axis of steps, an integer in (-inf, inf) other than 0.
        feature_axis: The axis of features, an integer in (-inf, inf) other than 0.
        interleaved: Whether the pairs are neighbouring features.

    Shapes:
        Input of three axes or more with `batch` first, such as `(batch, steps, heads, features)`,
        or `(batch, heads, steps, features)` with `sequence_axis=2`. The number of features is
        even. Output the same.

    Behaviour:
        Training and inference are the same. Deterministic. A mask is passed on. Angles and
        rotation are computed in float32. `call` takes a `start_index`, an integer or a scalar
        tensor, or the `positions` of the steps, a tensor `(steps,)` or `(batch, steps)`.

    Example:
        The inner product of steps 7 and 5 is that of steps 2 and 0:

        >>> layer = RotaryEmbedding()
        >>> q, k = keras.random.normal((1, 8, 4), seed=1), keras.random.normal((1, 8, 4), seed=2)
        >>> q, k = (layer(ops.repeat(x[:, :1], 8, axis=1))[0] for x in (q, k))
        >>> abs(float(ops.sum(q[7] * k[5]) - ops.sum(q[2] * k[0]))) < 1e-5
        True
        >>> y = RotaryEmbedding()(ops.convert_to_tensor([[[1.0, 0.0], [1.0, 0.0]]]))
        >>> print(ops.convert_to_numpy(y)[0, 1].round(4))
        [0.5403 0.8415]
    """

    def __init__(
        self,
        max_wavelength: float = 10000.0,
        scaling_factor: float = 1.0,
        sequence_axis: int = 1,
        feature_axis: int = -1,
        interleaved: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.max_wavelength = checks.number(self, "max_wavelength", max_wavelength, "(0, inf)")
        self.scaling_factor = checks.number(self, "scaling_factor", scaling_factor, "(0, inf)")
        self.sequence_axis = checks.integer(self, "sequence_axis", sequence_axis, "(-inf, inf)")
        self.feature_axis = checks.integer(self, "feature_axis", feature_axis, "(-inf, inf)")
        self.interleaved = checks.boolean(self, "interleaved", interleaved)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        rank = len(input_shape)
        if rank < 3:
            axes = "(batch, ..., steps, ..., features), three axes or more"
            raise checks.error(self, "input_shape", axes, tuple(input_shape))
        _, f = self._axes(rank)
        features = checks.known_axis(self, input_shape, f, "features")
        if features % 2:
            rule = "a shape with an even number of features, since pairs are turned"
            raise checks.error(self, "input_shape", rule, tuple(input_shape))
        self.input_spec = keras.layers.InputSpec(ndim=rank, axes={f: features})

    def _axes(self, rank):
        """Return the axes of steps and of features, counted from the first."""
        found = []
        for name in ("sequence_axis", "feature_axis"):
            axis = getattr(self, name)
            if not -rank < axis < rank or axis == 0 or axis % rank in found:
                rule = f"an axis of its own other than 0 of the input's {rank}"
                raise checks.error(self, name, rule, axis)
            found.append(axis % rank)
        return found

    def call(self, x: Tensor, start_index: int = 0, positions: Tensor | None = None) -> Tensor:
        x = as_floats(x, self.compute_dtype)
        s, f = self._axes(len(x.shape))
        if positions is None:
            positions = start_index + ops.arange(ops.shape(x)[s])
        a = angles(positions, x.shape[f], self.max_wavelength)
        a = a / self.scaling_factor
        if len(a.shape) == 2:
            a = a[None]
        y = ops.moveaxis(x, (s, f), (1, -1))
        for _ in range(len(x.shape) - 3):
            a = ops.expand_dims(a, 2)  # the axes between steps and features
        return ops.moveaxis(rotate(y, a, self.interleaved), (1, -1), (s, f))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
