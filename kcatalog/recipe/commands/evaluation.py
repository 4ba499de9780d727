"""Evaluation: the test split's score, next to a baseline on the same split."""

from __future__ import annotations

import keras
import numpy as np
from rich.console import Console

from kcatalog.recipe import monitoring, tasks
from kcatalog.recipe.data import Data
from kcatalog.recipe.data.files import draw
from kcatalog.recipe.export import serving
from kcatalog.recipe.feed import pipeline
from kcatalog.recipe.files import disk, keras_file
from kcatalog.recipe.files.rundir import Run
from kcatalog.recipe.monitoring import projector
from kcatalog.recipe.monitoring.pictures import Predictions
from kcatalog.recipe.tasks import baselines, forecasts, neighbours

COMPARED = 1000  # test samples on which live and exported model are compared


def evaluate(recipe, run: Run, data: Data, device: str, console: Console) -> None:
    """Score the test split next to a baseline on the same split."""
    task, (x, y) = tasks.of(data), data.test
    model = keras_file.load(run.model)
    outputs = pipeline.predict(model, x)
    outputs, known = outputs.astype("float32"), tasks.gallery(data, model)
    score, predicted = task.score(y, outputs, *known), task.predicted(outputs, *known)
    name, baseline = recipe.baseline(data)
    console.print(f"Test {task.measure}: {score:.4f}. Baseline ({name}): {baseline:.4f}.")
    scores = {task.measure: score, f"{task.measure} of the baseline": baseline}
    further = _further(data, outputs, console)
    predictions = Predictions(data, data.test, outputs, predicted)
    monitoring.write_test(run.logs, predictions, model, {**scores, **further})
    if known:
        projector.write(run.logs / "test", data, outputs, predicted)
    places = draw(len(x), COMPARED)
    answers = serving.expected(outputs[places], data.info)
    with disk.atomic_write(run.samples) as beside:
        np.savez(beside, request=serving.request(x[places], data.info), **answers)
    metrics = {
        "measure": task.measure,
        "higher": task.higher,
        "test": score,
        "baseline": {"name": name, "test": baseline},
        **({"further": further} if further else {}),
        "test_samples": len(x),
        "device": device,
        "backend": keras.backend.backend(),
    }
    run.write("metrics.json", metrics)


def _further(data: Data, outputs: np.ndarray, console: Console) -> dict[str, float]:
    """Of embeddings: how well test samples find each other, by them and by their features; of
    very many samples some do, and the measure says so.
    Of forecasts: how much of the truth the band holds, and the like."""
    if data.task == "forecast":
        measures = forecasts.further(data, outputs)
        for measure, value in measures.items():
            console.print(f"Test {measure}: {value:.4g}.")
        return measures
    if data.task != "embedding":
        return {}
    places = draw(len(outputs), baselines.MOST_SAMPLES)
    among = f" among {len(places)}" if len(places) < len(outputs) else ""
    labels, features = data.test[1][places], baselines.scaled_features(data, places)
    ours, raw = (neighbours.retrieval(x, labels) for x in (outputs[places], features))
    ours, raw = ({f"{k}{among}": v for k, v in scores.items()} for scores in (ours, raw))
    for measure in ours:
        console.print(f"Test {measure}: {ours[measure]:.4f}. By the features: {raw[measure]:.4f}.")
    return {**ours, **{f"{k} by the features": v for k, v in raw.items()}}
