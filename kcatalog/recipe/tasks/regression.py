"""Regression: one number or several for each sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcatalog import checks
from kcatalog.recipe.tasks.task import Task

MEASURES = {"MAE": "mean absolute error", "RMSE": "root mean squared error"}


class Regression(Task):
    """Numbers; models end in one output per target (batch, targets), in the targets' own units.

    Args:
        measure: "MAE" or "RMSE"; of several targets it is the mean over them.
        targets: their names; by default those that the data's details state.
        units: their units, such as "kg"; by default those of the data's details, or none.
    """

    name, better = "regression", "lower"
    ends_in, output_name = "a number for each target, in its unit", "values"
    pictures = ("predicted and true", "residuals")

    def __init__(
        self, measure: str = "MAE", targets: tuple[str, ...] = (), units: tuple[str, ...] = ()
    ):
        checks.choice(self, "measure", measure, tuple(MEASURES))
        self._error, self.measure = measure, MEASURES[measure]
        self.targets, self.units = tuple(targets), tuple(units)

    def output_shape(self, data: Any):
        return (np.prod(data.train[1].shape[1:], dtype=int).item(),)

    def names(self, details: Any, count: int) -> tuple[str, ...]:
        """Return the names of the targets."""
        names = self.targets or getattr(details, "targets", ())
        if len(names) == count:
            return tuple(names)
        return ("value",) if count == 1 else tuple(f"value_{i + 1}" for i in range(count))

    def units_of(self, details: Any, count: int) -> tuple[str, ...]:
        """Return the units of the targets, "" where there is none."""
        units = self.units or getattr(details, "units", ())
        return tuple(units) if len(units) == count else ("",) * count

    def score(self, labels: Any, outputs: Any) -> float:
        """Return the mean absolute or root mean squared error.

        >>> y, outputs = np.array([[0.0], [2.0]]), np.array([[1.0], [5.0]])
        >>> Regression().score(y, outputs), round(Regression("RMSE").score(y, outputs), 3)
        (2.0, 2.236)
        """
        return float(np.mean(errors(labels, outputs)[self._error]))

    def predicted(self, outputs: Any):
        return outputs

    def further(self, data: Any, outputs: Any):
        found, y = errors(data.test[1], outputs), columns(data.test[1])
        other = "RMSE" if self._error == "MAE" else "MAE"
        scores = {MEASURES[other]: float(np.mean(found[other]))}
        variance = y.var(axis=0)
        r2 = 1 - found["RMSE"] ** 2 / np.where(variance > 0, variance, np.nan)
        if np.isfinite(r2).any():
            scores["R²"] = float(np.nanmean(r2))
        names = self.names(data.details, y.shape[1])
        if len(names) > 1:
            units = self.units_of(data.details, len(names))
            for i, (name, unit) in enumerate(zip(names, units, strict=True)):
                scores[f"{self.measure} of {labelled(name, unit)}"] = float(found[self._error][i])
                if np.isfinite(r2[i]):
                    scores[f"R² of {name}"] = float(r2[i])
        return scores

    def signatures(self, served: Any, info):
        """Return the default and `serving_bytes` for images, with each target under its name, and
        `regress` as TensorFlow Serving has it, for one target."""

        def serve(x):
            values = served.answer(x)["values"]
            names = self.names(info.details, values.shape[-1])
            return {**{n: values[:, i] for i, n in enumerate(names)}, "values": values}

        def regress(x):
            values = served.answer(x)["values"]
            return {"outputs": values[:, 0] if values.shape[-1] == 1 else values}

        return {
            "serving_default": served.of_raw(serve),
            "serving_bytes": served.of_images(serve),
            "regress": served.of_examples(regress),
        }

    def describe(self, answer: Any, info):
        values = np.ravel(answer["values"]).tolist()
        return dict(zip(self.names(info.details, len(values)), values, strict=True))

    def cells(self, described: Any):
        return {name: f"{value:.6g}" for name, value in described.items()}


def columns(values: np.ndarray) -> np.ndarray:
    """Return values as (samples, targets), in float64."""
    return np.asarray(values, "float64").reshape(len(values), -1)


def errors(labels: np.ndarray, outputs: np.ndarray) -> dict[str, np.ndarray]:
    """Return the mean absolute and the root mean squared error of each target."""
    difference = columns(outputs) - columns(labels)
    return {
        "MAE": np.abs(difference).mean(axis=0),
        "RMSE": np.sqrt((difference**2).mean(axis=0)),
    }


def labelled(name: str, unit: str) -> str:
    """Return a target's name with its unit, if it has one."""
    return f"{name} ({unit})" if unit else name
