import numpy as np
import pytest

from kcatalog.conformance.backend import as_numpy, value_and_gradients
from kcatalog.ops.lovasz import lovasz_jaccard


def reference(errors, truth):
    """The extension by its definition: the Jaccard loss of the set of the k worst pixels."""
    foreground = {i for i, r in enumerate(truth) if r}
    total, before, wrong = 0.0, 0.0, set()
    for i in np.argsort(-errors):
        wrong.add(i)
        after = len(wrong) / len(foreground | wrong)
        total += max(errors[i], 0.0) * (after - before)
        before = after
    return total


def example(rng):
    errors, truth = rng.normal(size=(3, 20, 2)), rng.integers(0, 2, (3, 20, 2))
    truth[0, :, 0] = 0
    truth[1, :, 1] = 1
    return errors.astype("float32"), truth.astype("float32")


def test_each_image_is_a_set(rng):
    errors, truth = example(rng)
    each = as_numpy(lovasz_jaccard(errors, truth, per_image=True))
    for b, c in np.ndindex(3, 2):
        np.testing.assert_allclose(
            each[b, c], reference(errors[b, :, c], truth[b, :, c]), rtol=1e-5
        )


def test_the_batch_is_a_set(rng):
    errors, truth = example(rng)
    each = as_numpy(lovasz_jaccard(errors, truth, per_image=False))
    for c in range(2):
        expected = reference(errors[..., c].ravel(), truth[..., c].ravel())
        np.testing.assert_allclose(each[:, c].mean(), expected, rtol=1e-5)
    order = [2, 0, 1]  # each image keeps its own share
    np.testing.assert_allclose(
        as_numpy(lovasz_jaccard(errors[order], truth[order], False)), each[order], rtol=1e-5
    )


@pytest.mark.parametrize("per_image", [True, False])
def test_slopes_keep_their_digits_in_large_images(rng, per_image):
    n = 2**18
    errors = rng.uniform(size=(1, n, 1)).astype("float32")
    truth = (rng.uniform(size=(1, n, 1)) < 0.3).astype("float32")
    _, (slope,) = value_and_gradients(lambda e: lovasz_jaccard(e, truth, per_image)[0, 0], [errors])
    order = np.argsort(-errors[0, :, 0], kind="stable")
    hit = np.cumsum(truth[0, order, 0], dtype="float64")
    k, G = np.arange(1, n + 1), hit[-1]
    loss = 1 - (G - hit) / (G + k - hit)
    exact = np.diff(loss, prepend=0.0)
    ties = np.unique(errors[0, order, 0], return_counts=True)[1][::-1]
    unique = np.repeat(ties == 1, ties)
    np.testing.assert_allclose(slope[0, order, 0][unique], exact[unique], rtol=1e-4)
