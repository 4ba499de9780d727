"""Tests of what the base gives all metrics, beyond what conformance checks generate."""

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import metrics, registry
from kcatalog.conformance import backend
from kcatalog.conformance.metrics import result_of
from kcatalog.conformance.subject import BATCH, Subject
from kcatalog.ops import retrieval_scores

METRICS = registry.find(kind="metrics", origin="kcatalog")
NAN = float("nan")


@pytest.mark.parametrize(
    "metric",
    [
        metrics.KendallTau(capacity=8),
        metrics.SpearmanCorrelation(capacity=8),
        metrics.CohenKappa(2),
        metrics.MatthewsCorrelation(2),
        metrics.Hamming(),
        metrics.ExpectedCalibrationError(norm="max"),
    ],
    ids=lambda m: m.name,
)
def test_nan_is_not_hidden(metric):
    y_true = [1.0, 2, 3, 4] if "capacity" in metric.get_config() else [0, 1, 0, 1]
    for y_pred in ([NAN] * 4, [0.0, 1.0, NAN, NAN]):
        metric.reset_state()
        assert np.isnan(result_of(metric, y_true, np.array(y_pred, "float32")))
        metric.update_state(y_true, [0.0, 1.0, 0.0, 1.0])
        assert np.isnan(float(metric.result()))
    metric.reset_state()
    assert np.isfinite(result_of(metric, y_true, np.array([0.0, 1.0, 0.0, 1.0], "float32")))


def test_what_weighs_nothing_may_be_nan():
    y, p = [0, 1, 0, 1], np.array([0.0, 1.0, NAN, NAN], "float32")
    assert result_of(metrics.CohenKappa(2), y, p, sample_weight=[1, 1, 0, 0]) == 1


def test_labels_beyond_32_bits():
    e = np.array([[0.0], [1.0], [1.1], [5.0]])
    labels = np.array([5, 2**32 + 5, 5, 2**32 + 5])
    for y in (labels, labels.astype("float64"), labels.tolist()):
        assert float(metrics.RecallAtK(capacity=4, distance="euclidean")(y, e)) == 0
    kappa = metrics.CohenKappa(2)([0, 1, 0, 1], [0.0, 1.0, 0.0, 0.0])
    long = np.array([0, 1, 0, 1, 2**32 + 1])
    assert float(metrics.CohenKappa(2)(long, [0.0, 1.0, 0.0, 0.0, 1.0])) == float(kappa)
    times = 10**12 + np.array([1, 2, 3, 4]) * 2**33
    assert float(metrics.SpearmanCorrelation(4)(times, [1.0, 2, 3, 4])) == pytest.approx(1)
    assert float(metrics.WordErrorRate()(np.array([[2**32 + 1, 2]]), [[1, 2]])) == 0.5
    with pytest.raises(ValueError, match="RecallAtK: `y_true` must be whole numbers"):
        metrics.RecallAtK()([0.5, 0.7, 1.0, 1.0], e)


@pytest.mark.parametrize(
    ("metric", "y_true", "y_pred", "message"),
    [
        (metrics.WordErrorRate(), ["a b c"], ["a b c", "x y z", "a b"], "each of the 3"),
        (metrics.WordErrorRate(), "a b c", "a b c", "`y_true` must be a list of sentences"),
        (metrics.SpearmanCorrelation(8), [1.0], [1.0, 2, 3], "each of the 3"),
        (metrics.SpearmanCorrelation(8), 1.0, [1.0, 2, 3], "each of the 3"),
        (metrics.CohenKappa(2), ["a", "b"], [0.1, 0.2], "`y_true` must be numbers"),
        (metrics.CohenKappa(3), np.zeros((2, 3)), np.zeros((2, 4, 3)), r"of shape \(2, 4\)"),
        (metrics.Hamming(), np.zeros((2, 4)), np.zeros((2, 3)), r"of shape \(2, 3\)"),
        (metrics.Hamming(), np.arange(6) % 4, np.zeros((6, 4)), r"of shape \(6, 4\)"),
        (metrics.MultiLabelConfusionMatrix(3), np.zeros((2, 4)), np.zeros((2, 3)), r"\(2, 3\)"),
        (metrics.MultiLabelConfusionMatrix(3), [1, 3], np.zeros((2, 3)), "from 0 to 2"),
        (metrics.Perplexity(), [[1, 2, 5]], np.ones((1, 3, 3)) / 3, "from 0 to 2"),
        (metrics.Perplexity(), np.zeros((3, 2)), np.ones((3, 4, 5)) / 5, r"\(3, 4\)"),
        (metrics.RankingNDCG(), np.zeros((2, 3)), np.zeros((2, 4)), r"of shape \(2, 4\)"),
        (metrics.RecallAtK(), np.eye(3), np.eye(3), "one label a sample.*argmax"),
        (metrics.RecallAtK(), [1, 2], np.ones((2, 3, 4)), "embeddings"),
        (metrics.EmbeddingDistance(), [[1, 2]], np.ones((2, 3)), "one label"),
        (metrics.ExpectedCalibrationError(), [0, 3], np.ones((2, 3)) / 3, "from 0 to 2"),
        (metrics.EditDistance(), np.zeros((2, 3)), np.zeros((3, 2)), "each of the 3"),
        (metrics.BLEU(), ["a b"], [["a", "b"]], "`y_true` must be sentences of the form"),
    ],
)
def test_what_disagrees_is_refused(metric, y_true, y_pred, message):
    with pytest.raises(ValueError, match=f"{type(metric).__name__}: .*{message}"):
        metric.update_state(y_true, y_pred)


def test_what_disagrees_is_refused_while_a_step_is_traced():
    def step(y_true, y_pred):
        metric = metrics.Hamming()
        state = metric.stateless_update_state([v.value for v in metric.variables], y_true, y_pred)
        return metric.stateless_result(state)

    with pytest.raises(ValueError, match="Hamming: `y_true` must be of shape"):
        backend.compiled(step)(ops.zeros((6,)), ops.zeros((6, 4)))


def test_a_class_beyond_all_gives_nan_while_a_step_is_traced():
    for label in (-1, 3):
        metric = metrics.Perplexity(from_logits=True)

        def step(y_true, y_pred, metric=metric):
            state = [v.value for v in metric.variables]
            state = metric.stateless_update_state(state, y_true, y_pred)
            return metric.stateless_result(state)

        y, p = ops.convert_to_tensor([[0, label]]), ops.zeros((1, 2, 3))
        if backend.COMPILES:
            assert np.isnan(backend.as_numpy(backend.compiled(step, xla=True)(y, p)))
        else:
            with pytest.raises(ValueError, match="from 0 to 2"):
                step(y, p)


def test_perplexity_behind_a_mask_is_the_exponential_of_the_loss(rng):
    tokens = np.array([[3, 1, 0, 0], [2, 2, 4, 0]])
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Embedding(5, 6, mask_zero=True),
            keras.layers.Dense(5),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=[metrics.Perplexity(from_logits=True)])
    found = []
    for padding in (0, 3):
        y = np.where(tokens == 0, padding, rng.permuted([[1, 2, 3, 4]] * 2, axis=1) * 0 + 2)
        logs = model.evaluate(tokens, y, verbose=0, return_dict=True)
        assert logs["perplexity"] == pytest.approx(np.exp(logs["loss"]), rel=1e-4)
        found.append(logs["perplexity"])
    assert found[0] == pytest.approx(found[1])


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("entry", METRICS, ids=lambda e: e.name)
def test_an_empty_batch_of_unknown_size_changes_nothing(entry):
    """`tf.distribute` leaves a replica without samples, which no shape tells beforehand."""
    import tensorflow as tf

    s = Subject.of(entry.load())
    metric, pair = s.make(), s.targets_and_predictions()
    specs = [tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in pair]
    step = tf.function(metric.update_state, input_signature=specs)
    for part in ([x[:0] for x in pair], pair, [x[:0] for x in pair]):
        step(*map(tf.constant, part))
    expected = result_of(s.make(), *pair)
    np.testing.assert_allclose(np.asarray(metric.result()), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_one_class_and_fractional_weights_give_0(rng, classes):
    y = np.zeros(50, "int32")
    for _ in range(5):
        w = rng.uniform(size=50).astype("float32")
        for other in (y, rng.integers(0, classes, 50)):
            p = np.eye(classes, dtype="float32")[other]
            for metric in (metrics.MatthewsCorrelation(classes), metrics.CohenKappa(classes)):
                assert result_of(metric, y, p, sample_weight=w) == pytest.approx(0, abs=1e-6)
        for pair in ((y, w), (w, y)):
            for metric in (metrics.SpearmanCorrelation(64), metrics.KendallTau(capacity=64)):
                assert result_of(metric, *pair, sample_weight=w) == pytest.approx(0, abs=1e-6)


def test_streamed_retrieval_of_nearly_parallel_embeddings(rng):
    labels = np.arange(48) % 6
    x = 5 + 3e-4 * (rng.normal(size=(6, 16))[labels] + 0.01 * rng.normal(size=(48, 16)))
    x = x.astype("float32")
    for distance in ("cosine", "euclidean"):
        metric = metrics.MAPAtR(distance=distance, capacity=100)
        for start in range(0, 48, 8):
            metric.update_state(labels[start : start + 8], x[start : start + 8])
        expected = retrieval_scores(x, labels, distance=distance)["map_at_r"]
        assert float(metric.result()) == pytest.approx(expected) == 1


def test_one_direction_scores_nothing(rng):
    """Embeddings that collapsed to one direction tie, whatever rounding makes of their length."""
    x = (rng.uniform(0.1, 9, (61, 1)) * rng.normal(size=(1, 37))).astype("float32")
    metric = metrics.RecallAtK(capacity=61)
    for start in range(0, 61, 7):
        metric.update_state(np.arange(61)[start : start + 7] % 3, x[start : start + 7])
    assert float(metric.result()) == 0


@pytest.mark.slow
def test_a_batch_of_one():
    for entry in METRICS:
        s = Subject.of(entry.load())
        y_true, y_pred = s.targets_and_predictions()
        rows = [v for i in range(BATCH) for v in (y_true[i : i + 1], y_pred[i : i + 1])]
        found = result_of(s.make(), *rows)
        assert np.all(np.isfinite(found)), entry.name
        if "streaming" in s.tags:
            np.testing.assert_allclose(found, result_of(s.make(), y_true, y_pred), rtol=1e-4)


@pytest.mark.tensorflow
@pytest.mark.parametrize("cls", [metrics.SpearmanCorrelation, metrics.RecallAtK])
def test_replicas_which_would_keep_their_own_samples_are_refused(cls):
    import tensorflow as tf

    from kcatalog.conformance.descent import two_replicas

    metric = cls()
    with pytest.raises(RuntimeError, match=f"{cls.__name__} compares all samples"):
        tf.function(two_replicas().run)(metric.update_state, (tf.ones((2, 1)), tf.ones((2, 1))))
