from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Int, Paper
from kcatalog.ops.distances import pairwise_distances, unit_rows
from kcatalog.ops.precision import at_least_float32
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "NormFace: L2 Hypersphere Embedding for Face Verification",
        "Wang, Xiang, Cheng, Yuille",
        2017,
        "https://arxiv.org/abs/1704.06369",
        "normalization of features and of class weights",
    ),
    equation="s_jk = cos(x, w_jk),  w_j1 to w_jK learned for class j",
    space={"per_class": Int(1, 10)},
    example=Example({"classes": 4, "per_class": 2}, shape=(5,)),
)
class Prototypes(keras.layers.Layer):
    """Learned vectors for each class, and every sample's similarity to them.

    The weights of the losses that compare embeddings with classes: `ArcFace`, `Center`'s
    centers, `ProxyAnchor`'s proxies are all these. What has weights is a layer and a loss has
    none, so the vectors train, save, distribute and export as any layer's do. Make it the last
    layer in training and compile with the loss; keep the model up to the layer before for
    embeddings. Scores of a plain linear classifier come from `keras.layers.Dense`.

    Maths:
        `s_jk = cos(x, w_jk)`, or `s_jk = -‖x - w_jk‖²` for `"squared_euclidean"`, with `w_jk` the
        `k`-th of the `per_class` vectors of class `j`, one of `classes`.

    Args:
        classes: How many classes there are, an integer in [1, inf).
        per_class: `K`, how many vectors each class has, an integer in [1, inf).
        similarity: `"cosine"`, or `"squared_euclidean"`: the negative squared distance. Either is
            greatest for the nearest vector.
        initializer: Initializer of the vectors. For cosines their length sets only how fast they
            turn; that of the default does not depend on the number of classes.
        regularizer: Regularizer of the vectors, or None; `kcatalog.regularizers.SparseCenters`
            merges vectors that a class does not need.
        constraint: Constraint on the vectors, or None.

    Shapes:
        Input `(batch, features)`. Output `(batch, classes)` where `per_class` is 1, else
        `(batch, classes, per_class)`. The weight, `layer.prototypes`, is `(classes, features)` or
        `(classes, per_class, features)`.

    Behaviour:
        Training and inference are the same. Deterministic. `features` must be known. A zero
        vector is at cosine 0 from all others, without gradient. Lengths and distances are
        computed in float32; float16 cosines are exact to 5e-4, which a loss multiplies by its
        scale, so that under a mixed policy `dtype="float32"` suits this layer as it does any
        last one. Accuracy of a model with several vectors a class: give it the maximum over them,
        `keras.ops.max(s, axis=-1)`, as a second output.

    Example:
        Classes along the axes; the sample leans towards the second:

        >>> layer = Prototypes(classes=2, initializer="identity")
        >>> s = layer(ops.convert_to_tensor([[3.0, 4.0]]))
        >>> print(ops.convert_to_numpy(s).round(4))
        [[0.6 0.8]]
    """

    def __init__(
        self,
        classes: int,
        per_class: int = 1,
        similarity: str = "cosine",
        initializer: KerasObject = "random_normal",
        regularizer: KerasObject | None = None,
        constraint: KerasObject | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.classes = checks.integer(self, "classes", classes, "[1, inf)")
        self.per_class = checks.integer(self, "per_class", per_class, "[1, inf)")
        self.similarity = checks.choice(
            self, "similarity", similarity, ("cosine", "squared_euclidean")
        )
        self.initializer = checks.initializer(self, "initializer", initializer)
        self.regularizer = checks.regularizer(self, "regularizer", regularizer)
        self.constraint = checks.constraint(self, "constraint", constraint)

    def build(self, input_shape: Shape) -> None:
        checks.rank(self, input_shape, 2, "(batch, features)")
        features = checks.known_axis(self, input_shape, -1, "features")
        self.input_spec = keras.layers.InputSpec(ndim=2, axes={-1: features})
        self.prototypes = self.add_weight(
            (*self._scores, features),
            self.initializer,
            name="prototypes",
            autocast=False,  # computed in float32 at least, also under a mixed policy
            regularizer=self.regularizer,
            constraint=self.constraint,
        )

    @property
    def _scores(self):
        """The shape of one sample's scores."""
        return (self.classes,) if self.per_class == 1 else (self.classes, self.per_class)

    def call(self, x: Tensor) -> Tensor:
        x = at_least_float32(x)
        w = at_least_float32(self.prototypes)
        w = ops.reshape(w, (self.classes * self.per_class, x.shape[-1]))
        if self.similarity == "cosine":
            x, w = (ops.cast(unit_rows(v), self.compute_dtype) for v in (x, w))
            s = ops.matmul(x, ops.transpose(w))
        else:
            # distances are computed from the mean of the second: that of the batch would leave no
            # digits to a sample beside one far away
            s = ops.cast(-pairwise_distances(x, w, "squared_euclidean"), self.compute_dtype)
        return ops.reshape(s, (-1, *self._scores))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self._scores)
