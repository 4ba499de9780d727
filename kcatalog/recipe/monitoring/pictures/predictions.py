"""Predictions, which all pictures are of."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from kcatalog.recipe import tasks
from kcatalog.recipe.data.files import Files


@dataclass(frozen=True)
class Predictions:
    """Samples and a model's predictions of them.

    places: the samples' indices in their split, where they are not all of it.
    """

    data: object
    samples: tuple[np.ndarray, np.ndarray]
    outputs: np.ndarray
    predicted: np.ndarray
    places: np.ndarray | None = None

    def file(self, sample: int) -> str | None:
        """Return the name of the file that a sample was read from, or None."""
        x = self.samples[0]
        return x.name(sample) if isinstance(x, Files) else None

    def name(self, sample: int) -> str:
        """Return the name of a sample's file, or its index in the split."""
        index = sample if self.places is None else self.places[sample]
        return self.file(sample) or str(index)

    @functools.cached_property
    def probabilities(self) -> np.ndarray | None:
        """Class probabilities, if the model's outputs are logits, else None."""
        return tasks.of(self.data).probabilities(self.outputs)

    @property
    def flat(self) -> tuple[np.ndarray, np.ndarray]:
        """Labels (n,) and probabilities (n, classes), those of all characters if they are texts."""
        p = self.probabilities
        return np.ravel(self.samples[1]), p.reshape(-1, p.shape[-1])
