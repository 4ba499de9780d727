"""Two embeddings a sample, in the two forms in which a Keras loss can be given them."""

from keras import ops

from kcatalog import checks
from kcatalog.ops.precision import at_least_float32
from kcatalog.types import Tensor


def two_views(owner: object, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
    """Both views of each sample, `(batch, features)` each, in float32 at least.

    Either each argument of the loss is a view, as in a training loop of one's own, or `y_pred`
    stacks both as `(batch, 2, features)`, the single output of a model, and `y_true` is ignored:
    `compile` and `fit` then work as ever, and the gradient reaches both towers.

    >>> a, b = two_views("Doc", ops.zeros((3, 5)), ops.ones((3, 5)))
    >>> tuple(a.shape), float(b[0, 0])
    ((3, 5), 1.0)
    >>> two_views("Doc", ops.zeros((3, 4)), ops.ones((3, 5)))
    Traceback (most recent call last):
    ValueError: Doc: `y_pred` must be of shape (batch, 2, features), or ... (3, 4).
    """
    y_pred = ops.convert_to_tensor(y_pred)
    if are_stacked(y_pred):
        return pair(owner, y_pred)
    y_true = ops.convert_to_tensor(y_true)
    shapes = tuple(y_true.shape), tuple(y_pred.shape)
    if len(shapes[1]) != 2 or len(shapes[0]) != 2 or not all(map(_may_equal, *shapes)):
        rule = "of shape (batch, 2, features), or (batch, features) as `y_true`"
        fix = f"The shape of `y_true` is {shapes[0]}."
        raise checks.error(owner, "y_pred", rule, shapes[1], fix)
    return at_least_float32(y_true), at_least_float32(y_pred)


def are_stacked(y_pred: Tensor) -> bool:
    """Return whether `y_pred` holds both views, `(batch, 2, features)`.

    >>> are_stacked(ops.zeros((3, 2, 5))), are_stacked(ops.zeros((3, 5)))
    (True, False)
    """
    return len(y_pred.shape) == 3 and y_pred.shape[1] == 2


def pair(owner: object, y_pred: Tensor) -> tuple[Tensor, Tensor]:
    """Return the two embeddings of `(batch, 2, features)`, in float32 at least.

    >>> [float(v[0, 0]) for v in pair("Doc", ops.convert_to_tensor([[[1.0], [2.0]]]))]
    [1.0, 2.0]
    """
    y_pred = at_least_float32(y_pred)
    if not are_stacked(y_pred):
        rule = "of shape (batch, 2, features)"
        fix = "For example: keras.ops.stack([a, b], axis=1)."
        raise checks.error(owner, "y_pred", rule, tuple(y_pred.shape), fix)
    return y_pred[:, 0], y_pred[:, 1]


def _may_equal(m, n):
    return m is None or n is None or m == n
