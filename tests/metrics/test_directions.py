"""Directions of metrics: what Keras's callbacks are told, and what names tell."""

import keras
import pytest
from keras import ops

from kcatalog import registry
from kcatalog.card import By
from kcatalog.conformance.subject import Subject
from kcatalog.layers import LayerScale

METRICS = [e for e in registry.find(kind="metrics", origin="kcatalog") if e.card.better]


@pytest.mark.parametrize("entry", METRICS, ids=lambda e: e.name)
def test_early_stopping_knows_the_direction_by_itself(entry):
    subject = Subject.of(entry.load())
    metric = subject.make()
    y_true, y_pred = subject.targets_and_predictions()
    model = keras.Sequential([keras.Input(y_pred.shape[1:]), LayerScale(1.0)])
    model.compile("sgd", lambda y, p: 0.0 * ops.mean(p), metrics=[metric], run_eagerly=True)
    stopping = keras.callbacks.EarlyStopping(f"val_{metric.name}")
    logs = model.evaluate(y_pred, y_true, verbose=0, return_dict=True)  # all that `fit` hands on
    stopping.set_model(model)
    stopping.on_train_begin()
    stopping.on_epoch_end(0, {f"val_{name}": value for name, value in logs.items()})
    better = entry.card.better
    if isinstance(better, By):
        better = better.directions[getattr(metric, better.argument)]
    assert stopping.monitor_op is {"higher": ops.greater, "lower": ops.less}[better]


def test_a_direction_may_depend_on_an_argument():
    cls = registry.describe("EmbeddingDistance").load()
    told = [registry.higher_is_better(cls(pairs)) for pairs in ("positive", "negative", "gap")]
    assert told == [False, True, True]


@pytest.mark.parametrize(
    ("names", "higher"),
    [
        ("val_recall_at_k map_at_r ndcg ranking_ndcg bleu kendall_tau", True),
        ("val_accuracy acc sparse_categorical_accuracy auc AUC precision f1_score r2_score", True),
        ("mean_io_u one_hot_io_u recall_at_precision sensitivity_at_specificity", True),
        ("val_loss mae val_mean_absolute_error mse MSE kl_divergence hinge log_cosh", False),
        ("false_negatives rmse edit_distance val_perplexity hamming", False),
        ("categorical_crossentropy binary_crossentropy bce", False),
        # a loss of the same name has the opposite direction; an argument decides; nobody knows
        ("cosine_similarity embedding_distance multi_label_confusion_matrix val_profit", None),
    ],
)
def test_a_name_is_enough(names, higher):
    assert {n: registry.higher_is_better(n) for n in names.split()} == dict.fromkeys(
        names.split(), higher
    )


@pytest.mark.parametrize("entry", registry.find("metrics", origin="keras"), ids=lambda e: e.name)
def test_keras_agrees_where_it_says(entry):
    """Its true and false positives and negatives say nothing, so that only our entry does."""
    metric = entry.load()(**entry.card.example.args)
    told = registry.higher_is_better(metric)
    assert told == registry.higher_is_better(entry.name) or told is None
    assert told is not None or entry.name.endswith(("Positives", "Negatives"))


def test_a_metric_object_answers_for_itself():
    assert registry.higher_is_better(keras.metrics.CosineSimilarity()) is True
    assert registry.higher_is_better(keras.metrics.Mean()) is None
