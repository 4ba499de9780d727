"""Predictions, which all pictures are of."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from kcatalog.recipe import tasks


@dataclass(frozen=True)
class Predictions:
    """Samples and a model's predictions of them."""

    data: object
    samples: tuple[np.ndarray, np.ndarray]
    outputs: np.ndarray
    predicted: np.ndarray

    @functools.cached_property
    def probabilities(self) -> np.ndarray | None:
        """Class probabilities, if the model's outputs are logits, else None."""
        return tasks.of(self.data).probabilities(self.outputs)

    @property
    def flat(self) -> tuple[np.ndarray, np.ndarray]:
        """Labels (n,) and probabilities (n, classes), those of all characters if they are texts."""
        p = self.probabilities
        return np.ravel(self.samples[1]), p.reshape(-1, p.shape[-1])
