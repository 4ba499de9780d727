"""What every variant of an export is tried on: differences, latency, score on the test part."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kcatalog.recipe import tasks
from kcatalog.recipe.data import Data, DataInfo
from kcatalog.recipe.data.files import draw, take
from kcatalog.recipe.export import serving
from kcatalog.recipe.export.clean import Processes

TEXTS = 64  # windows of a text that are scored, as every character is a step


@dataclass(frozen=True)
class Exam:
    """What every variant is tried on.

    Args:
        data: the recipe's, for its test part.
        info: what the manifest says of it.
        samples: the live model's answers, as the run left them.
        states: names and shapes of states, if the model goes step by step.
    """

    data: Data
    info: DataInfo
    samples: Path
    states: dict | None

    def row(self, processes: Processes, runtime: str, file: Path) -> dict:
        """Differences, latency and score of a variant."""
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            samples, outputs = Path(folder) / "samples.npz", Path(folder) / "outputs.npz"
            np.savez(samples, **self._asked())
            job = {"states": self.states, "signature": "step"} if self.states else {}
            row = processes.examine(
                runtime,
                model=file,
                samples=samples,
                outputs=outputs,
                single=runtime == "litert",
                **job,
            )
            with np.load(outputs) as written:
                answers = dict(written)
        row.pop("signatures", None)
        return {**row, **self._scored(answers)}

    def _asked(self) -> dict:
        """The test part, what the live model has answered first; of embeddings also the known
        samples that they are compared with."""
        with np.load(self.samples) as file:
            want = {key: file[key] for key in file.files if key != "request"}
        x = take(self.data.test[0], self._order)
        if self.states:
            x, want = x[:TEXTS], {key: values[:TEXTS] for key, values in want.items()}
        elif self.info.task == "embedding":
            x = np.concatenate([x, self.data.train[0], self.data.validation[0]])
        return {"request": x if self.states else serving.request(x, self.info), **want}

    @functools.cached_property
    def _order(self) -> np.ndarray:
        """The test part's places, those of the samples that the live model has answered first."""
        every = np.arange(len(self.data.test[1]))
        with np.load(self.samples) as file:
            first = draw(len(every), len(file["request"]))
        return np.concatenate([first, np.setdiff1d(every, first)])

    def _scored(self, answers: dict) -> dict:
        """The score on the test part; characters that nobody steps through have none."""
        task, labels = tasks.of(self.data), self.data.test[1][self._order]
        if self.info.task == "next-character" and not self.states:
            return {"score": None}
        outputs, known = serving.outputs(answers, self.info), ()
        if self.info.task == "embedding":
            outputs, gallery = outputs[: len(labels)], outputs[len(labels) :]
            known = (gallery, np.concatenate([self.data.train[1], self.data.validation[1]]))
        labels = labels[: len(outputs)]
        return {"score": task.score(labels, outputs, *known), "scored_samples": len(labels)}
