"""Evaluation: the test split's score, next to a baseline on the same split."""

from __future__ import annotations

import keras
import numpy as np
from rich.console import Console

from kcatalog.recipe import monitoring, tasks
from kcatalog.recipe.data import Data
from kcatalog.recipe.data.files import draw
from kcatalog.recipe.feed import pipeline
from kcatalog.recipe.files import disk, keras_file
from kcatalog.recipe.files.rundir import Run
from kcatalog.recipe.monitoring import projector
from kcatalog.recipe.monitoring.pictures import Predictions
from kcatalog.recipe.tasks import heads

COMPARED = 1000  # test samples on which live and exported model are compared


def evaluate(recipe, run: Run, data: Data, device: str, console: Console) -> dict[str, float]:
    """Score the test split next to a baseline on the same split. Return the scores by name."""
    task, (x, y) = tasks.of(data), data.test
    model = keras_file.load(run.model)
    outputs = heads.to_contract(task, model, data, pipeline.predict(model, x))
    outputs = outputs.astype(np.promote_types(outputs.dtype, "float32"))
    known = task.gallery(model, data)
    score, predicted = task.score(y, outputs, *known), task.predicted(outputs, *known)
    name, baseline = recipe.baseline(data)
    worse = score < baseline if task.better == "higher" else score > baseline
    console.print(
        f"Test {task.measure}: {_digits(score)}. Baseline ({name}): {_digits(baseline)}.",
        style="red" if worse else "",
    )
    scores = {task.measure: score, f"{task.measure} of the baseline": baseline}
    further = task.further(data, outputs)
    further |= recipe.measures(model) if recipe.measures else {}
    for measure, value in further.items():
        console.print(f"Test {measure}: {value:.4g}.")
    predictions = Predictions(data, data.test, outputs, predicted)
    scores |= further
    monitoring.write_test(run.logs, predictions, model, scores)
    if known:
        projector.write(run.logs / "test", data, outputs, predicted)
    places = draw(len(x), COMPARED)
    answers = task.expected(outputs[places])
    with disk.atomic_write(run.samples) as beside:
        np.savez(beside, request=tasks.requests(data, places), **answers)
    metrics = {
        "measure": task.measure,
        "higher": task.better == "higher",
        "test": score,
        "baseline": {"name": name, "test": baseline},
        **({"further": further} if further else {}),
        "test_samples": len(x),
        "device": device,
        "backend": keras.backend.backend(),
    }
    run.write("metrics.json", metrics)
    return {f"test {name}": float(value) for name, value in scores.items()}


def _digits(score: float) -> str:
    """Return a score with four decimals, or digits if it is too small for them.

    >>> _digits(0.98765), _digits(1.23e-7)
    ('0.9877', '1.230e-07')
    """
    return f"{score:.4f}" if score == 0 or abs(score) >= 1e-3 else f"{score:.3e}"
