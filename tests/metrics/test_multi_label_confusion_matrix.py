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
    np.testing.assert_array_equal(np.asarray(logs["multi_label_confusion_matrix"]), expected)


def test_wrong_number_of_labels():
    with pytest.raises(ValueError, match=r"must be scores \(batch, ..., 4\)"):
        result_of(metrics.MultiLabelConfusionMatrix(4), np.zeros((2, 3)), np.zeros((2, 3)))
