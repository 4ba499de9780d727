from kcatalog.card import Example, Paper
from kcatalog.losses.similarity_loss import SimilarityLoss
from kcatalog.ops.margins import class_similarities
from kcatalog.ops.probabilities import crossentropy
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "A Discriminative Feature Learning Approach for Deep Face Recognition",
        "Wen, Zhang, Li, Qiao",
        2016,
        "https://doi.org/10.1007/978-3-319-46478-7_31",
        "equation 2",
    ),
    tags=("integer-labels", "one-hot-labels", "logits"),
    example=Example(shape=(6,), targets="labels"),
)
class Center(SimilarityLoss):
    """Center loss: half the squared distance of an embedding to its class's learned center.

    A helper beside cross-entropy that makes embeddings of a class compact. Give the model a second
    output and compile with both losses and a small weight, `loss_weights=[1.0, 0.003]` in the
    paper; alone it maps everything to one point. `CosFace` and `ArcFace` do in one loss what
    the two do together. What has weights is a layer and a loss has none: the centers are those of
    `kcatalog.layers.Prototypes(classes, similarity="squared_euclidean")` behind the embedding.

    Maths:
        `l = ½ ‖x - c_y‖² = -½ s_y`, with `s` = `y_pred`, the negative squared distances, and
        `y` = `y_true`.

    Shapes:
        `y_true`: class indices `(batch,)` or `(batch, 1)`, whole numbers of any dtype, or one-hot
        `(batch, classes)`. `y_pred`: `(batch, classes)`. Unreduced: `(batch,)`.

    Behaviour:
        Each sample on its own. Differs from the paper: centers learn by the loss's gradient, `Σ (c
        - x)` over the class's samples, divided by the batch and times the weight of the loss. The
        paper moves them by `α Σ (c - x) / (1 + n)` with `α` = 0.5 and `n` samples of the class,
        whatever that weight. With plain SGD they follow more slowly here, and slower for rare
        classes; with Adam, whose steps do not depend on the gradient's size, they do not. The
        distance to every center is computed where one is needed: the price of a model that needs no
        labels to run. Half precision is computed in float32. A label that is no class raises an
        error, or gives NaN where the step is compiled.

    Example:
        At distance 4 from its class's center, ½ · 4²:

        >>> from keras import ops
        >>> loss = Center()
        >>> s = ops.convert_to_tensor([[-16.0, -1.0]])
        >>> float(loss(ops.convert_to_tensor([0]), s))
        8.0
    """

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        s = class_similarities(self, y_pred)
        return 0.5 * crossentropy(y_true, s)  # the cross-entropy of anything is -Σ y s = -s_y
