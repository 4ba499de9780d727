"""Embeddings: samples of one class lie close together."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kcatalog.recipe import devices
from kcatalog.recipe.data.files import draw, join, some
from kcatalog.recipe.feed import batches
from kcatalog.recipe.tasks import features, neighbours
from kcatalog.recipe.tasks.task import Task
from kcatalog.recipe.terminal import output

FEWEST_STEPS = 30
MOST_REFERENCES = 5000  # training samples that validation samples are compared with


class Embedding(Task):
    """Samples of one class lie close together; models end in embeddings (batch, features)."""

    name, measure, better = "embedding", "accuracy of the nearest neighbour", "higher"
    objective = ("val_margin", "max")
    reported = {"val_margin": "max", "val_map_at_r": "max", "val_recall_at_1": "max"}
    stratified = True
    ends_in, output_name = "an embedding", "embedding"
    vanishing = 0.0  # an embedding that fits its batch has no gradient left, which is no fault
    pictures = ("confusion matrix", "sample predictions")

    def output_shape(self, data: Any):
        return (None,)

    def batches(
        self,
        data: Any,
        hp: Any,
        batch_size: int,
        seed: int | keras.random.SeedGenerator,
        shard: tuple[int, int] = (0, 1),
    ):
        """Return batches of several samples of each of some classes; a hyperparameter
        "samples_per_class" replaces the 4."""
        batch_size = hp.values.get("batch_size", batch_size)
        samples = hp.values.get("samples_per_class", 4)
        classes = min(len(np.unique(data.train[1])), max(2, batch_size // samples))
        batches.check_divisible("classes in a batch", classes, shard[1], "hosts")
        batches.check_divisible(
            "samples in a batch", classes * samples, devices.replicas(), "devices"
        )
        return batches.Balanced(
            *data.train,
            classes_per_batch=classes,
            samples_per_class=samples,
            steps_per_epoch=self.steps_per_epoch(data, batch_size),
            seed=seed,
            shard=shard[0],
            shards=shard[1],
        )

    def steps_per_epoch(self, data: Any, batch_size: int):
        """Return 30 at least: there are many more pairs than samples, and epochs of a few steps
        would spend their time on the validation split."""
        return max(FEWEST_STEPS, super().steps_per_epoch(data, batch_size))

    def validation_callbacks(self, data: Any):
        return [neighbours.ValidationScores(self, data)]

    def probe(self, data: Any, batches: Any):
        return batches[0]

    def score(self, labels: Any, outputs: Any, known: Any, its_labels: Any) -> float:
        """Return the fraction of samples whose nearest known sample has their own label."""
        return float(np.mean(self.predicted(outputs, known, its_labels) == labels))

    def predicted(self, outputs: Any, known, its_labels: Any):
        return neighbours.nearest_labels(outputs, known, its_labels)

    def known(self, data: Any, split: str):
        if split == "validation":
            return some(*data.train, MOST_REFERENCES)
        x = join(data.train[0], data.validation[0])
        return x, np.concatenate([data.train[1], data.validation[1]])

    def further(self, data: Any, outputs: Any):
        """Return retrieval scores of the test embeddings and, for comparison, of the raw features.
        Large sets are subsampled; the measure's name says so."""
        places = draw(len(outputs), features.MOST_SAMPLES)
        among = f" among {len(places)}" if len(places) < len(outputs) else ""
        labels, found = data.test[1][places], {}
        raw = features.scaled_features(data, places)
        for x, by in ((outputs[places], ""), (raw, ", raw features")):
            scores = neighbours.retrieval(x, labels)
            found |= {f"{k}{among}{by}": v for k, v in scores.items()}
        return found

    def show(self, console: Any, files: Any, described: Any) -> None:
        """Print each file, and which of the others is most like it."""
        x = np.array([each["embedding"] for each in described])
        unit = x / np.linalg.norm(x, axis=1, keepdims=True)
        cosines = unit @ unit.T - 2 * np.eye(len(files))
        table = output.table("file", "most similar of the others", "cosine")
        for i, file in enumerate(files):
            match = int(cosines[i].argmax())
            other = (str(files[match]), f"{cosines[i, match]:.3f}") if match != i else ("", "")
            table.add_row(str(file), *other)
        console.print(table)
