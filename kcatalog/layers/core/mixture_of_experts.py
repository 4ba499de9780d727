import math
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Int, Paper
from kcatalog.layers.redrawn import redrawn
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Switch Transformers: Scaling to Trillion Parameter Models with Simple and Efficient "
        "Sparsity",
        "Fedus, Zoph, Shazeer",
        2021,
        "https://arxiv.org/abs/2101.03961",
        "section 2",
    ),
    tags=("shape-preserving", "masking"),
    space={"num_experts": Int(2, 8), "hidden_dim": Int(16, 1024, log=True)},
    example=Example({"num_experts": 3, "hidden_dim": 3, "activation": "gelu"}, shape=(5, 4)),
    exemptions={
        "onnx_equal": "tf2onnx has no `erfc`, with which TensorFlow computes the exact GELU",
    },
)
class MixtureOfExperts(keras.layers.Layer):
    """Sparse mixture of experts: each step is sent to a few of many feed-forward layers.

    In place of a Transformer's feed-forward layer, to have more weights at the cost of `top_k` of
    the experts for each step. It takes much data to be worth it.

    Maths:
        `y = Σ g[e] W₂[e] φ(W₁[e] x)` over the `top_k` experts with the largest `p = softmax(R x)`,
        `φ` = `activation`. The gates `g` are `p` divided by its sum over them; with one expert `g`
        is `p` itself, since a constant would not train `R`. To keep the experts equally busy,
        `load_balancing_factor E Σ f[e] P[e]` is added to the loss, with `f` the share of steps that
        went to each of the `E` experts and `P` the mean of `p`.

    Args:
        num_experts: `E`, an integer in [1, inf).
        hidden_dim: Hidden units of each expert, an integer in [1, inf).
        top_k: Number of experts for each step, an integer in [1, inf), at most `num_experts`.
        capacity_factor: An expert takes at most `capacity_factor top_k steps / E` steps of a
            sequence, the first ones; more get nothing from it. A number in (0, inf), or None for
            no limit.
        load_balancing_factor: Weight of the added loss, a number in [0, inf).
        activation: `φ`, a Keras activation by name, or a function.
        kernel_initializer: Initializer of `R`, `W₁` and `W₂`; drawn for each expert.
        kernel_regularizer: Regularizer of `R`, `W₁` and `W₂`, or None.

    Shapes:
        Input `(batch, steps, features)`, output the same.

    Behaviour:
        Loss is added in training only. Deterministic. Padding is sent to no expert and gives 0; the
        mask is passed on. The router computes in float32. Without a limit every expert has room
        for every step and computes it, used or not; with one, time does not grow with the number
        of experts, and shapes are static. Each sequence has its own room, so that it does not
        depend on the others in its batch.

    Example:
        A router without preference takes the first two of three equal experts:

        >>> layer = MixtureOfExperts(3, 2, kernel_initializer="ones")
        >>> y = layer(ops.convert_to_tensor([[[1.0, 2.0]]]))
        >>> print(ops.convert_to_numpy(y))  # both hidden units are relu(1 + 2)
        [[[6. 6.]]]
    """

    def __init__(
        self,
        num_experts: int,
        hidden_dim: int,
        top_k: int = 2,
        capacity_factor: float | None = None,
        load_balancing_factor: float = 0.01,
        activation: KerasObject = "relu",
        kernel_initializer: KerasObject = "glorot_uniform",
        kernel_regularizer: KerasObject | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_experts = checks.integer(self, "num_experts", num_experts, "[1, inf)")
        self.hidden_dim = checks.integer(self, "hidden_dim", hidden_dim, "[1, inf)")
        self.top_k = checks.integer(self, "top_k", top_k, "[1, inf)")
        if top_k > num_experts:
            raise checks.error(self, "top_k", f"at most num_experts={num_experts}", top_k)
        self.capacity_factor = checks.number(
            self, "capacity_factor", capacity_factor, "(0, inf)", optional=True
        )
        self.load_balancing_factor = checks.number(
            self, "load_balancing_factor", load_balancing_factor, "[0, inf)"
        )
        self.activation = checks.activation(self, "activation", activation)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.kernel_regularizer = checks.regularizer(self, "kernel_regularizer", kernel_regularizer)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        checks.rank(self, input_shape, 3, "(batch, steps, features)")
        features = checks.known_axis(self, input_shape, -1, "features")
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: features})
        sizes = {"hidden": (features, self.hidden_dim), "output": (self.hidden_dim, features)}
        self._R = self.add_weight(
            (features, self.num_experts),
            self.kernel_initializer,
            name="router_kernel",
            regularizer=self.kernel_regularizer,
            autocast=False,  # the choice of experts is computed in float32 at least
        )
        self._W1, self._W2 = (
            self.add_weight(
                (self.num_experts, *size),
                self._one_by_one,
                name=f"{name}_kernels",
                regularizer=self.kernel_regularizer,
            )
            for name, size in sizes.items()
        )

    def _one_by_one(self, shape, dtype=None):
        """Draw each expert's kernel by itself, since Keras would take three axes for an image's."""
        init = [redrawn(self.kernel_initializer) for _ in range(shape[0])]
        return ops.stack([i(shape[1:], dtype=dtype) for i in init])

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool | None = False) -> Tensor:
        x = ops.cast(x, self.compute_dtype)
        wide = ops.cast(x, self._R.dtype)
        p = ops.softmax(ops.matmul(wide, self._R))  # (batch, steps, experts)
        g, chosen = ops.top_k(p, self.top_k)
        if self.top_k > 1:
            g = g / ops.sum(g, axis=-1, keepdims=True)
        sent = ops.one_hot(chosen, self.num_experts, dtype=p.dtype)  # (batch, steps, k, experts)
        real = ops.ones_like(p[..., :1])
        if mask is not None:
            real = ops.cast(ops.expand_dims(mask, -1), p.dtype)
            sent = sent * real[..., None]
        if training and self.load_balancing_factor:
            self.add_loss(self._imbalance(sent, p * real, real))
        share = self._limited if self.capacity_factor else self._unlimited
        w1, w2 = (ops.cast(w, x.dtype) for w in (self._W1, self._W2))
        y = share(x, sent, g, w1, w2)
        return ops.cast(y, self.compute_dtype)

    def _imbalance(self, sent, p, real):
        """Return the loss that is least where all experts are equally busy."""
        count = ops.maximum(ops.sum(real), 1)
        f = ops.sum(sent, axis=(0, 1, 2)) / (count * self.top_k)
        mean = ops.sum(p, axis=(0, 1)) / count
        return self.load_balancing_factor * self.num_experts * ops.sum(f * mean)

    def _unlimited(self, x, sent, g, w1, w2):
        h = self.activation(ops.einsum("ntf,efh->neth", x, w1))
        gates = ops.cast(ops.einsum("ntke,ntk->net", sent, g), h.dtype)
        return ops.einsum("neth,ehf->ntf", h * gates[..., None], w2)

    def _limited(self, x, sent, g, w1, w2):
        batch, steps, features = ops.shape(x)
        experts, k = self.num_experts, self.top_k
        if isinstance(steps, int):
            room = math.ceil(self.capacity_factor * k * steps / experts)
        else:
            share = self.capacity_factor * k / experts * ops.cast(steps, "float32")
            room = ops.cast(ops.ceil(share), "int32")
        sent = ops.reshape(sent, (batch, steps * k, experts))
        place = ops.sum((ops.cumsum(sent, axis=1) - 1) * sent, axis=-1)  # among those of its expert
        place = ops.cast(place, "int32")
        fits = ops.logical_and(ops.any(sent > 0, axis=-1), place < room)
        slot = ops.cast(ops.argmax(sent, axis=-1), "int32") * room + place
        slot = ops.where(fits, slot, experts * room)
        row, step = ops.arange(batch)[:, None], ops.repeat(ops.arange(steps), k)[None]
        row, step = (ops.broadcast_to(i, ops.shape(slot)) for i in (row, step))
        row, step, at = (ops.reshape(i, (-1,)) for i in (row, step, slot))
        # the step in each slot, or 0 in an empty one, whose result nobody reads
        source = ops.scatter(ops.stack([row, at], axis=-1), step, (batch, experts * room + 1))
        rows = ops.take_along_axis(x, source[:, :-1, None], axis=1)
        h = ops.reshape(rows, (batch, experts, room, features))
        h = self.activation(ops.einsum("nerf,efh->nerh", h, w1))
        h = ops.einsum("nerh,ehf->nerf", h, w2)
        h = ops.reshape(h, (batch, experts * room, features))
        h = ops.concatenate([h, ops.zeros_like(x[:, :1])], axis=1)  # of those without room
        y = ops.take_along_axis(h, slot[..., None], axis=1)
        y = ops.reshape(y, (batch, steps, k, features))
        return ops.sum(y * ops.cast(g, y.dtype)[..., None], axis=2)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
