import keras
import pytest
from keras import ops

from kcatalog import metrics
from tests.golden.load import golden
from tests.metrics.retrieval import collapsed, streamed
from tests.ops.test_retrieval import reference


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 3, 50])
@pytest.mark.parametrize("batch", [1, 8, 31])
def test_reference(rng, k, batch):
    x, labels = rng.normal(size=(31, 4)).astype("float32"), rng.integers(0, 9, 31)
    weights = rng.uniform(size=31).astype("float32")
    for w in (None, weights):
        metric = metrics.RecallAtK(k, distance="euclidean", capacity=40)
        value = streamed(metric, x, labels, w, batch)
        assert value == pytest.approx(reference(x, labels, k, "euclidean", w), abs=1e-6)


@pytest.mark.parametrize(("name", "peers"), [("cosine", "cosine"), ("euclidean", "l2")])
def test_golden(name, peers):
    peer = golden("pml_retrieval")
    scores = dict(zip(peer["score"], peer[f"self_{peers}_per_sample"], strict=True))
    metric = metrics.RecallAtK(1, distance=name, capacity=24)
    assert streamed(metric, peer["x"], peer["labels"]) == pytest.approx(scores["precision_at_1"])


def test_beyond_capacity_the_first_samples_count(rng):
    x, labels = rng.normal(size=(30, 4)).astype("float32"), rng.integers(0, 4, 30)
    metric = metrics.RecallAtK(2, capacity=19)
    expected = reference(x[:19], labels[:19], 2, "cosine")
    with pytest.warns(UserWarning, match="first 19 of 30 samples.*RecallAtK.capacity=30"):
        assert streamed(metric, x, labels) == pytest.approx(expected)
    metric.result()  # once is enough, until the next epoch
    metric.reset_state()
    with pytest.warns(UserWarning, match="first 19 of 30 samples"):
        streamed(metric, x, labels)


def test_collapse_scores_nothing():
    assert collapsed(metrics.RecallAtK(capacity=32)) == 0


@pytest.mark.slow
def test_in_fit_and_evaluate(rng):
    x, labels = rng.normal(size=(22, 4)).astype("float32"), rng.integers(0, 4, 22)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Identity(), keras.layers.Dense(3)])
    model.compile(
        "sgd", lambda y, p: ops.sum(p * p, -1), metrics=[metrics.RecallAtK(2, capacity=32)]
    )
    model.fit(x, labels, batch_size=8, epochs=2, verbose=0)
    logs = model.evaluate(x, labels, batch_size=8, verbose=0, return_dict=True)
    embeddings = model.predict(x, verbose=0)
    assert logs["recall_at_k"] == pytest.approx(reference(embeddings, labels, 2, "cosine"))
