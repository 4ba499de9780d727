"""Checks of one variant of an export: differences, latency, score on the test split."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kcatalog.recipe import tasks
from kcatalog.recipe.data import Data
from kcatalog.recipe.data.files import draw, take
from kcatalog.recipe.export.runtimes import Runtimes

TEXTS = 64  # windows of a text that are scored; each of their characters is a call


@dataclass(frozen=True)
class VariantCheck:
    """The check that every variant of an export goes through.

    Args:
        data: the recipe's data, for the test split.
        samples: an .npz file of the run, with the live model's outputs.
        states: names and shapes of the states, if the model runs step by step.
    """

    data: Data
    samples: Path
    states: dict | None

    def row(self, runtimes: Runtimes, runtime: str, file: Path) -> dict:
        """Return the differences, latency and score of a variant."""
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            samples, outputs = Path(folder) / "samples.npz", Path(folder) / "outputs.npz"
            np.savez(samples, **self._asked())
            job = {"states": self.states, "signature": "step"} if self.states else {}
            row = runtimes.check(runtime, model=file, samples=samples, outputs=outputs, **job)
            with np.load(outputs) as written:
                answers = dict(written)
        row.pop("signatures", None)
        return {**row, **self._scored(answers)}

    def _asked(self) -> dict:
        """Return the test split, beginning with the samples whose live outputs are known.

        The samples that test samples are compared with follow, if the task has some.
        """
        with np.load(self.samples) as file:
            want = {key: file[key] for key in file.files if key != "request"}
        x = take(self.data.test[0], self._order)
        if self.states:
            x, want = x[:TEXTS], {key: values[:TEXTS] for key, values in want.items()}
        elif known := self._task.known(self.data, "test"):
            x = np.concatenate([x, known[0]])
        return {"request": x if self.states else self._task.request(x), **want}

    @property
    def _task(self) -> tasks.Task:
        return tasks.of(self.data)

    @functools.cached_property
    def _order(self) -> np.ndarray:
        """Return the test split's indices, those of samples with known live outputs first."""
        every = np.arange(len(self.data.test[1]))
        with np.load(self.samples) as file:
            first = draw(len(every), len(file["request"]))
        return np.concatenate([first, np.setdiff1d(every, first)])

    def _scored(self, answers: dict) -> dict:
        """Return the score on the test split; a text model without steps has none."""
        task, labels = self._task, self.data.test[1][self._order]
        if task.generates and not self.states:
            return {"score": None}
        outputs, known = task.outputs(answers), task.known(self.data, "test")
        if known:
            outputs, known = outputs[: len(labels)], (outputs[len(labels) :], known[1])
        labels = labels[: len(outputs)]
        return {"score": task.score(labels, outputs, *known), "scored_samples": len(labels)}
