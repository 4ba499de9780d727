import numpy as np
import pytest
from keras import ops

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy
from tests.losses.prototypes import check_golden, some_cosines


def reference(s, y, margin, scale):
    """Equation 4 of Kim et al., and how much of it each sample is given."""
    batch, classes = s.shape
    shares = np.zeros(batch)
    for p in range(classes):
        positive = [x for x in range(batch) if y[x] == p]
        negative = [x for x in range(batch) if y[x] != p]
        for rows, sign, proxies in ((positive, -1, len(set(y))), (negative, 1, classes)):
            terms = [np.exp(scale * (sign * float(s[x, p]) + margin)) for x in rows]
            for x, term in zip(rows, terms, strict=True):
                shares[x] += np.log(1 + sum(terms)) / proxies * term / sum(terms)
    return shares


@pytest.mark.parametrize(("margin", "scale"), [(0.1, 32.0), (0, 1)])
def test_reference(rng, margin, scale):
    s, y = some_cosines(rng, 9, 5)
    shares = reference(s, y, margin, scale)
    each = as_numpy(losses.ProxyAnchor(margin, scale, reduction=None)(y, s))
    np.testing.assert_allclose(each, 9 * shares, rtol=1e-4, atol=1e-5)
    whole = as_numpy(losses.ProxyAnchor(margin, scale)(y, s))
    np.testing.assert_allclose(whole, sum(shares), rtol=1e-5)


def test_golden():
    check_golden("proxy_anchor", losses.ProxyAnchor(margin=0.2, scale=16.0))


def test_sums_that_would_overflow(rng):
    s, y = some_cosines(rng, 9, 5)
    loss = losses.ProxyAnchor(0.0, 1000.0)
    top = max(s[x, p] for x in range(9) for p in range(5) if y[x] != p)
    value = as_numpy(loss(y, s))
    assert np.isfinite(value)
    assert value > 1000 * top / 5


def test_anchors_may_be_the_first_of_the_references(rng):
    """As a memory and as data parallelism use it: the parts add up to the whole."""
    s, y = some_cosines(rng, 9, 5)
    loss = losses.ProxyAnchor()
    every = loss.samples(y, s)
    turned = [ops.roll(t, -4, axis=0) for t in every]
    whole, _ = loss.compare(*every)
    first, _ = loss.compare(*every, anchors=4)
    rest, terms = loss.compare(*turned, anchors=5)
    parts = np.concatenate([as_numpy(first), as_numpy(rest)])
    np.testing.assert_allclose(parts, as_numpy(whole), rtol=1e-5)
    np.testing.assert_allclose(as_numpy(terms), np.full(5, 1 / 9), rtol=1e-6)
