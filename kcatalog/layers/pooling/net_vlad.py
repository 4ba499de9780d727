from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.ops.norms import unit
from kcatalog.ops.precision import as_floats
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "NetVLAD: CNN architecture for weakly supervised place recognition",
        "Arandjelović, Gronat, Torii, Pajdla, Sivic",
        2016,
        "https://arxiv.org/abs/1511.07247",
        "equation 4",
    ),
    equation="V[:, k] = Σ a[t, k] (x[t] - c[k]),  normalized for each k, then as a whole",
    tags=("masking",),
    space={"num_clusters": Choice(8, 16, 32, 64)},
    example=Example({"num_clusters": 2}, shape=(6, 3)),
)
class NetVLAD(keras.layers.Layer):
    """Pooling of a sequence or set by clusters: what lies around each centre, relative to it.

    For retrieval of places, sounds and videos. Keeps much more than a mean: `features` numbers for
    each cluster. Give it a map's pixels as a sequence.

    Maths:
        `a[t] = softmax(W x[t] + b)`, the weights of the clusters for a step;
        `V[:, k] = Σ a[t, k] (x[t] - c[k])` over the steps `t`, with the centre `c[k]`;
        each `V[:, k]` is divided by its length, then the whole of `V` by its own.

    Args:
        num_clusters: Number of centres, an integer in [1, inf).
        kernel_initializer: Initializer of `W`.
        centers_initializer: Initializer of the centres, or None for normal numbers with variance
            `1 / features`.
        kernel_regularizer: Regularizer of `W`, or None. TFA has `keras.regularizers.L2(1e-5)`.

    Shapes:
        Input `(batch, steps, features)`; output `(batch, features · num_clusters)`, the clusters of
        each feature side by side.

    Behaviour:
        Training and inference are the same. Deterministic. Masked steps do not count; a row of
        padding only gives 0. The mask ends here.

    Example:
        Both steps lie in the same direction from the only centre, 0:

        >>> layer = NetVLAD(1, centers_initializer="zeros")
        >>> y = layer(keras.ops.convert_to_tensor([[[3.0, 4.0], [6.0, 8.0]]]))
        >>> print(keras.ops.convert_to_numpy(y).round(3))
        [[0.6 0.8]]
    """

    def __init__(
        self,
        num_clusters: int,
        kernel_initializer: KerasObject = "glorot_uniform",
        centers_initializer: KerasObject | None = None,
        kernel_regularizer: KerasObject | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_clusters = checks.integer(self, "num_clusters", num_clusters, "[1, inf)")
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.centers_initializer = checks.initializer(
            self, "centers_initializer", centers_initializer
        )
        self.kernel_regularizer = checks.regularizer(self, "kernel_regularizer", kernel_regularizer)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        checks.rank(self, input_shape, 3, "(batch, steps, features)")
        features = checks.known_axis(self, input_shape, -1, "features")
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: features})
        shape = (features, self.num_clusters)
        self._W = self.add_weight(
            shape, self.kernel_initializer, regularizer=self.kernel_regularizer, name="kernel"
        )
        self._b = self.add_weight(shape[1:], "zeros", name="bias")
        start = self.centers_initializer or keras.initializers.TruncatedNormal(
            stddev=features**-0.5
        )
        self._c = self.add_weight(shape, start, name="centers")

    def call(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = as_floats(x, self.compute_dtype)
        wide = keras.backend.result_type(x.dtype, "float32")
        z = ops.cast(ops.matmul(x, self._W) + self._b, wide)
        a = ops.exp(z - ops.logsumexp(z, axis=-1, keepdims=True))
        if mask is not None:
            real = ops.expand_dims(ops.cast(mask, "bool"), -1)
            a, x = ops.where(real, a, 0), ops.where(real, x, 0)
        total = ops.einsum("btk,btf->bfk", a, ops.cast(x, wide))
        V = total - ops.sum(a, axis=1)[:, None] * ops.cast(self._c, wide)
        V = unit(unit(V, 1), (1, 2))
        y = ops.reshape(V, (-1, self._W.shape[0] * self.num_clusters))
        return ops.cast(y, self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, _, features = input_shape
        return (batch, features and features * self.num_clusters)

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:
        return None
