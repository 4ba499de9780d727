"""Shared helpers of tests of losses on `Prototypes`: loss and gradients."""

import numpy as np

from kcatalog import layers
from kcatalog.conformance.backend import value_and_gradients
from tests.golden.load import golden


def through_prototypes(loss, y, x, w, **settings):
    """The loss of embeddings `x` against vectors `w`, and its gradients for both."""
    per_class = 1 if w.ndim == 2 else w.shape[1]
    layer = layers.Prototypes(w.shape[0], per_class, **settings)
    layer.build(x.shape)
    return value_and_gradients(lambda x, w: loss(y, layer.stateless_call([w], [], x)[0]), [x, w])


def check_golden(name, loss, embeddings="x"):
    """Value and both gradients are pytorch-metric-learning's, for the same vectors."""
    peer = golden("pml_prototypes")
    x, x_gradient = peer[embeddings], peer[f"{name}_x"]
    w = peer["one"] if peer[f"{name}_w"].ndim == 2 else peer["several"]
    value, (dx, dw) = through_prototypes(loss, peer["labels"], x, w)
    if embeddings == "unit_x":  # the peer's scale is the length: take out what only lengthens
        x = x.astype("float64")
        x_gradient = x_gradient - x * np.sum(x * x_gradient, axis=1, keepdims=True)
    np.testing.assert_allclose(value, peer[name], rtol=1e-5)
    for ours, theirs in ((dx, x_gradient), (dw, peer[f"{name}_w"])):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max())


def some_cosines(rng, *shape):
    """Cosines up to the ends of their range, and labels that occur unequally often."""
    cos = np.cos(rng.uniform(0, np.pi, shape)).astype("float32")
    return cos, rng.integers(0, shape[1], shape[0])


def softmax_loss(scores, label):
    """`-log softmax(scores)[label]`, one number at a time."""
    largest = max(scores)
    return largest + np.log(sum(np.exp(s - largest) for s in scores)) - scores[label]
