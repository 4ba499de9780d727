import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden
from tests.losses.triplets import distance

DISTANCES = ["euclidean", "squared_euclidean", "cosine"]


def reference(x, labels, margin, name):
    """Section 3.2 of Schroff et al., one pair at a time; the sum of each anchor, and the pairs."""
    x = np.asarray(x, "float64")
    sums, pairs = np.zeros(len(x)), 0
    for a in range(len(x)):
        negatives = [distance(x[a], x[n], name) for n in range(len(x)) if labels[n] != labels[a]]
        for p in range(len(x)):
            if p == a or labels[p] != labels[a] or not negatives:
                continue
            d_ap = distance(x[a], x[p], name)
            farther = [d for d in negatives if d > d_ap]
            d_an = min(farther) if farther else max(negatives)
            sums[a] += max(0.0, margin + d_ap - d_an)
            pairs += 1
    return sums, pairs


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("classes", [2, 5, 20])
def test_reference(rng, name, classes):
    x = rng.normal(size=(24, 6)).astype("float32")
    labels = rng.integers(0, classes, 24)
    sums, pairs = reference(x, labels, 0.7, name)
    loss = losses.TripletSemiHard(margin=0.7, distance=name, reduction=None)
    each = as_numpy(loss(labels, ops.convert_to_tensor(x)))
    np.testing.assert_allclose(each, sums * 24 / max(pairs, 1), rtol=1e-4, atol=1e-5)


def test_mean_is_over_pairs_and_weights_are_of_anchors(rng):
    x, labels = rng.normal(size=(12, 4)).astype("float32"), rng.integers(0, 3, 12)
    weights = rng.uniform(size=12).astype("float32")
    sums, pairs = reference(x, labels, 1.0, "euclidean")
    loss = losses.TripletSemiHard()
    np.testing.assert_allclose(as_numpy(loss(labels, x)), sum(sums) / pairs, rtol=1e-5)
    weighted = as_numpy(loss(labels, x, sample_weight=weights))
    np.testing.assert_allclose(weighted, sum(weights * sums) / pairs, rtol=1e-5)


PEER = golden("tfa_triplet_semi_hard")
NAMES = dict(zip(["L2", "squared-L2", "angular"], DISTANCES, strict=True))
CASES = [
    (p, d, m)
    for p in range(len(PEER["pattern"]))
    for d in range(len(PEER["distance"]))
    for m in range(len(PEER["margin"]))
]


def of_identical_rows(x, gradient):
    """Gradients summed over identical rows: which of them a tie goes to is anyone's choice."""
    _, group = np.unique(x, axis=0, return_inverse=True)
    total = np.zeros((group.max() + 1, x.shape[1]))
    np.add.at(total, group.ravel(), gradient)
    return total


@pytest.mark.parametrize(("p", "d", "m"), CASES)
def test_golden(p, d, m):
    pattern, x, labels = PEER["pattern"][p], PEER["x"][p], PEER["labels"][p]
    loss = losses.TripletSemiHard(float(PEER["margin"][m]), NAMES[PEER["distance"][d]])
    value, (gradient,) = value_and_gradients(lambda x: loss(labels, x), [x])
    if pattern in ("one_class", "no_positives"):
        # differs from the peer: it takes a missing negative for one at distance 0, and
        # divides by no pairs (NaN); there is nothing to learn from either batch
        assert value == 0
        assert np.all(gradient == 0)
        return
    if pattern == "duplicates_across" and PEER["distance"][d] == "angular":
        assert np.isfinite(value)  # rounding decides: the peer's values are not stored
        assert np.all(np.isfinite(gradient))
        return
    np.testing.assert_allclose(value, PEER["value"][p, d, m], rtol=1e-5)
    expected = of_identical_rows(x, PEER["gradient"][p, d, m])
    np.testing.assert_allclose(of_identical_rows(x, gradient), expected, rtol=1e-4, atol=2e-6)


def test_equal_distance_is_not_farther():
    x = np.array([[0.0], [1.0], [-1.0], [3.0]], "float32")
    labels = np.array([0, 0, 1, 1])
    each = as_numpy(losses.TripletSemiHard(margin=0.5, reduction="none")(labels, x))
    # anchor 0: the negative at -1 is as far as the positive, so 3 is taken: 0.5 + 1 - 3 < 0
    assert each[0] == 0


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_collapsed_and_huge_embeddings(rng, name, dtype):
    labels = np.arange(8) % 2
    for x in (np.ones((8, 4)), np.zeros((8, 4)), 6e4 * np.sign(rng.normal(size=(8, 4)))):
        loss = losses.TripletSemiHard(distance=name)
        value, (gradient,) = value_and_gradients(
            lambda x, loss=loss: loss(labels, ops.cast(x, dtype)), [x.astype("float32")]
        )
        assert np.isfinite(value)
        assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("labels", [[3], [3, 3, 3], [1, 2, 3]])
def test_nothing_to_learn(rng, labels):
    x = rng.normal(size=(len(labels), 2)).astype("float32")
    loss = losses.TripletSemiHard()
    value, (gradient,) = value_and_gradients(lambda x: loss(np.array(labels), x), [x])
    assert value == 0
    assert np.all(gradient == 0)


@pytest.mark.slow
def test_last_smaller_batch_in_fit(rng):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    model.compile("sgd", losses.TripletSemiHard(margin=0.3))
    x, y = rng.normal(size=(21, 5)), rng.integers(0, 3, 21)
    history = model.fit(x, y, batch_size=8, epochs=4, verbose=0).history["loss"]
    assert np.all(np.isfinite(history))
    assert history[-1] != history[0]
