"""The kinds of task: how each is scored, and what trials and epochs are compared by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from kcatalog import checks
from kcatalog.recipe.feed import pipeline
from kcatalog.recipe.tasks import forecasts, neighbours
from kcatalog.recipe.terminal.errors import RecipeError


@dataclass(frozen=True)
class Task:
    """How a task's predictions are judged.

    measure: the score's name for the reader, and `higher` whether more of it is better.
    score: (labels, outputs) -> the measure; for embeddings also the gallery that they are
        compared with (`kcatalog.recipe.tasks.neighbours`).
    objective: the metric that `fit` reports on the validation split, to choose by.
    predicted: (outputs), or (embeddings, gallery), -> class indices, or the forecast.
    """

    measure: str
    higher: bool
    score: Callable[..., float]
    objective: str
    predicted: Callable[..., np.ndarray]


def accuracy(labels: np.ndarray, logits: np.ndarray) -> float:
    """The fraction of samples whose highest score is their label's.

    >>> accuracy(np.array([0, 1]), np.array([[2.0, 1.0], [2.0, 1.0]]))
    0.5
    """
    return float(np.mean(np.argmax(logits, axis=-1) == labels))


def bits_per_character(labels: np.ndarray, logits: np.ndarray) -> float:
    """The mean of -log2 p(next character).

    >>> bits_per_character(np.array([[0, 1]]), np.zeros((1, 2, 4)))
    2.0
    """
    p = probabilities(logits)
    right = np.take_along_axis(p, labels[..., None].astype("int64"), axis=-1)
    return float(np.mean(-np.log2(np.maximum(right, np.finfo("float64").tiny))))


def accuracy_of_nearest(labels: np.ndarray, embeddings: np.ndarray, known, its_labels) -> float:
    """The fraction of samples whose nearest known sample bears their own label."""
    return float(np.mean(neighbours.nearest_labels(embeddings, known, its_labels) == labels))


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, in float64."""
    e = np.exp(logits - logits.max(axis=-1, keepdims=True).astype("float64"))
    return e / e.sum(axis=-1, keepdims=True)


def most_likely(logits: np.ndarray) -> np.ndarray:
    """The index of the highest score."""
    return np.argmax(logits, axis=-1)


TASKS = {
    "classification": Task("accuracy", True, accuracy, "val_accuracy", most_likely),
    "next-character": Task(
        "bits per character", False, bits_per_character, "val_loss", most_likely
    ),
    "embedding": Task(
        "accuracy of the nearest neighbour",
        True,
        accuracy_of_nearest,
        "val_margin",
        neighbours.nearest_labels,
    ),
    "forecast": Task(
        "mean absolute percentage error",
        False,
        forecasts.percentage_error,
        "val_loss",
        forecasts.median,
    ),
}


def of(data) -> Task:
    """The task of some data."""
    if data.task not in TASKS:
        raise checks.error("Data", "task", f"one of {', '.join(map(repr, TASKS))}", data.task)
    return TASKS[data.task]


def gallery(data, model) -> tuple:
    """What `score` and `predicted` need beyond a model's outputs: nothing, or a gallery."""
    return neighbours.gallery(model, data) if data.task == "embedding" else ()


def validated(data) -> list[keras.callbacks.Callback]:
    """What adds to an epoch's logs what the task is judged by and Keras does not compute."""
    return [neighbours.ValidationMargin(data)] if data.task == "embedding" else []


def validation_logs(model, data) -> dict[str, float]:
    """What the logs of an epoch would say of the validation split, for a model as it stands."""
    results = pipeline.evaluate(model, *data.validation)
    logs = {f"val_{k}": v for k, v in results.items()}
    for callback in validated(data):
        callback.set_model(model)
        callback.on_epoch_end(0, logs)
    return logs


# Metrics by their names, as Keras and the catalog give them; capitals and underscores do not count.
# Left out are those that a name alone does not decide: `CosineSimilarity` is also a loss, the
# opposite; `EmbeddingDistance` depends on its arguments.
HIGHER = """
    acc Accuracy BinaryAccuracy CategoricalAccuracy SparseCategoricalAccuracy
    TopKCategoricalAccuracy SparseTopKCategoricalAccuracy
    AUC Precision Recall PrecisionAtRecall RecallAtPrecision SensitivityAtSpecificity
    SpecificityAtSensitivity TruePositives TrueNegatives F1Score FBetaScore
    IoU BinaryIoU MeanIoU OneHotIoU OneHotMeanIoU
    ConcordanceCorrelation PearsonCorrelation R2Score
    BLEU CohenKappa KendallTau MAPAtR MatthewsCorrelation MeanReciprocalRank NDCG PrecisionAtK
    ROUGE RPrecision RankingNDCG RecallAtK SpearmanCorrelation
    margin recall_at_1
"""
LOWER = """
    loss bce BinaryCrossentropy CategoricalCrossentropy SparseCategoricalCrossentropy
    KLDivergence Poisson Hinge SquaredHinge CategoricalHinge FalsePositives FalseNegatives
    mae MeanAbsoluteError mse MeanSquaredError rmse RootMeanSquaredError
    mape MeanAbsolutePercentageError msle MeanSquaredLogarithmicError LogCosh LogCoshError
    EditDistance ExpectedCalibrationError Hamming Perplexity WordErrorRate
"""


class Objective(str):
    """The name of the metric to choose by; `higher` says whether more of it is better."""

    higher: bool


def objective(stated: str | tuple[str, str]) -> Objective:
    """A recipe's objective: a metric that is known, or one with its direction.

    >>> objective("val_mae").higher, objective(("val_profit", "max")).higher
    (False, True)
    """
    match stated:
        case str(name) if _plain(name) in map(_plain, (HIGHER + LOWER).split()):
            higher = _plain(name) in map(_plain, HIGHER.split())
        case str(name), "max" | "min" as direction:
            higher = direction == "max"
        case _:
            raise RecipeError(
                "Recipe.objective must be a metric of Keras or kcatalog under its own name, or say "
                "whether more is better, as in ('val_profit', 'max') or ('val_cost', 'min'). "
                f"Received: {stated!r}."
            )
    found = Objective(name)
    found.higher = higher
    return found


def _plain(name: str) -> str:
    return name.removeprefix("val_").replace("_", "").lower()


def higher_is_better(name: str) -> bool:
    """Whether more of an objective is better.

    >>> higher_is_better("val_accuracy"), higher_is_better("val_loss")
    (True, False)
    """
    return (name if isinstance(name, Objective) else objective(name)).higher
