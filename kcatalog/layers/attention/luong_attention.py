from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.attention.attention_mechanism import AttentionMechanism
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Effective Approaches to Attention-based Neural Machine Translation",
        "Luong, Pham, Manning",
        2015,
        "https://arxiv.org/abs/1508.04025",
        "equation 8, general",
    ),
    space={"scale": Choice(False, True)},
    example=Example({"units": 4, "scale": True}, shape=((4,), (5, 2))),
)
class LuongAttention(AttentionMechanism):
    """Multiplicative attention of a decoder's step to a memory.

    For `AttentionWrapper`, or for a loop of your own: it takes one query at a time. A step costs
    one product with the memory; `BahdanauAttention` costs more and has a hidden layer. For all
    queries at once there is `keras.layers.Attention`.

    Maths:
        `e = q · W m` for each position `m` of the memory, `α = softmax(e)`, and the context is
        `Σ α m`. With `scale`, `e = g q · W m`.

    Args:
        units: Width of the query, to which `W` maps the memory, an integer in [1, inf).
        scale: Whether scores are multiplied by a learned number `g`, 1 at first.

    Example:
        Zero kernels make all positions alike, so the context is the mean:

        >>> layer = LuongAttention(units=3, kernel_initializer="zeros")
        >>> context, _ = layer(ops.ones((1, 3)), ops.reshape(ops.arange(4.0), (1, 4, 1)))
        >>> print(ops.convert_to_numpy(context))
        [[1.5]]
    """

    def __init__(
        self,
        units: int,
        scale: bool = False,
        monotonic: str | None = None,
        sigmoid_noise: float = 0.0,
        score_bias_initializer: KerasObject = "zeros",
        kernel_initializer: KerasObject = "glorot_uniform",
        kernel_regularizer: KerasObject | None = None,
        kernel_constraint: KerasObject | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            units,
            monotonic,
            sigmoid_noise,
            score_bias_initializer,
            kernel_initializer,
            kernel_regularizer,
            kernel_constraint,
            seed,
            **kwargs,
        )
        self.scale = checks.boolean(self, "scale", scale)

    def build(self, query_shape: Shape, memory_shape: Shape) -> None:
        super().build(query_shape, memory_shape)
        if query_shape[-1] != self.units:
            rule = f"a query (batch, {self.units}), as `units` says"
            raise checks.error(self, "input_shape", rule, tuple(query_shape))
        if self.scale:
            self._g = self.add_weight((), "ones", name="scale")

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        e = ops.squeeze(ops.matmul(keys, ops.expand_dims(query, -1)), -1)
        return ops.cast(self._g, e.dtype) * e if self.scale else e
