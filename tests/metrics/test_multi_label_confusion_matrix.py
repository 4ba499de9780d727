import json

import keras
import numpy as np
import pytest
from sklearn.metrics import multilabel_confusion_matrix

from kcatalog import metrics
from kcatalog.conformance.metrics import result_of
from tests.golden.load import golden


def reference(y, named, w):
    """Every label of every sample put into its cell."""
    M = np.zeros((y.shape[1], 2, 2))
    for row, row_named, c in zip(y, named, w, strict=True):
        for k, (a, b) in enumerate(zip(row, row_named, strict=True)):
            M[k, int(a), int(b)] += c
    return M


def test_reference(rng):
    y, scores = rng.integers(0, 2, (20, 3)), rng.uniform(size=(20, 3)).astype("float32")
    w = rng.uniform(size=20).astype("float32")
    value = result_of(metrics.MultiLabelConfusionMatrix(3, 0.7), y, scores, sample_weight=w)
    np.testing.assert_allclose(value, reference(y, scores > 0.7, w), rtol=1e-5)
    peer = multilabel_confusion_matrix(y, scores > 0.7, sample_weight=w)
    np.testing.assert_allclose(value, peer, rtol=1e-5)


def test_golden():
    peer = golden("tfa_metrics")
    metric = metrics.MultiLabelConfusionMatrix(4)
    value = result_of(metric, peer["several"], peer["named"].astype("float32"))
    np.testing.assert_array_equal(value, peer["confusion"])


def test_exclusive_classes(rng):
    y, scores = rng.integers(0, 3, 20), rng.normal(size=(20, 3)).astype("float32")
    value = result_of(metrics.MultiLabelConfusionMatrix(3, threshold=None), y, scores)
    np.testing.assert_array_equal(value, multilabel_confusion_matrix(y, scores.argmax(-1)))


def test_in_fit_and_evaluate(rng):
    x, y = rng.normal(size=(20, 3)).astype("float32"), rng.integers(0, 2, (20, 3))
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=[metrics.MultiLabelConfusionMatrix(3)])
    model.fit(x, y, batch_size=8, verbose=0, validation_data=(x, y))
    logs = model.evaluate(x, y, batch_size=8, verbose=0, return_dict=True)
    expected = multilabel_confusion_matrix(y, model.predict(x, verbose=0) > 0.5)
    np.testing.assert_array_equal(model.metrics[-1].metrics[0].result(), expected)
    wrong = expected[:, [0, 1], [1, 0]].sum() / expected.sum()
    assert logs["multi_label_confusion_matrix"] == pytest.approx(wrong)


def test_callbacks_that_log_numbers(rng, tmp_path):
    x, y = rng.normal(size=(8, 3)).astype("float32"), rng.integers(0, 2, (8, 3))
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=[metrics.MultiLabelConfusionMatrix(3)])
    callbacks = [
        keras.callbacks.TensorBoard(tmp_path, update_freq=1),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
    ]
    history = model.fit(x, y, batch_size=4, verbose=0, validation_data=(x, y), callbacks=callbacks)
    assert len(json.loads(json.dumps(history.history))["multi_label_confusion_matrix"]) == 1
    assert '"' not in (tmp_path / "log.csv").read_text()


def test_parts_of_the_result_are_numbers_too():
    result = metrics.MultiLabelConfusionMatrix(2)([[1, 0], [0, 1]], [[0.9, 0.8], [0.2, 0.4]])
    assert float(result) == 0.5
    assert float(result[1]) == 1
    assert float(result[1, 0, 1]) == float(result.max()) == float(result[0].sum() / 2) == 1


def test_wrong_number_of_labels():
    with pytest.raises(ValueError, match=r"must be scores \(batch, ..., 4\)"):
        result_of(metrics.MultiLabelConfusionMatrix(4), np.zeros((2, 3)), np.zeros((2, 3)))
