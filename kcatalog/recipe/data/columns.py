"""Columns of a table as numbers for a model, in the graph that is exported, too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DAY, WEEK, YEAR = 1.0, 7.0, 365.2425  # days
UNIX = 719468  # days from 0000-03-01 to 1970-01-01


@dataclass(frozen=True)
class Column:
    """A column that the model gets, and how its cells become features.

    A cell is text: "" where it is missing, a plain number, a date as 2024-01-31 or
    2024-01-31T12:30:00, or a category's name.

    name: in the file.
    kind: "number", "date", "boolean" or "category".
    mean, scale: of numbers, or of days since 1970, in the training part.
    missing: whether missing cells get a feature of their own.
    values: the categories that get a feature each; others get none.
    hours: whether dates have a time of the day.
    decimal: the decimal separator of numbers in files, "" where none was seen.
    day_first: whether 03/04/2024 is in April, in files with such dates.
    unit: what stands before or behind each number in files.
    """

    name: str
    kind: str
    mean: float = 0.0
    scale: float = 1.0
    missing: bool = False
    values: tuple[str, ...] = ()
    hours: bool = False
    decimal: str = ""
    day_first: bool | None = None
    unit: str = ""

    @property
    def numeric(self) -> bool:
        """True where cells are numbers."""
        return self.kind == "number"

    @property
    def features(self) -> list[str]:
        """The names of the features."""
        if self.values:
            return [f"{self.name} = {value or '(missing)'}" for value in self.values]
        found = [self.name]
        if self.kind == "date":
            cycles = ("year", "week", *(("day",) if self.hours else ()))
            found += [f"{self.name}, {f} of the {c}" for c in cycles for f in ("sine", "cosine")]
        return [*found, *([f"{self.name} is missing"] if self.missing else [])]

    def encode(self, cells):
        """Return the features (samples, features) of a tensor of cells (samples,), in float32."""
        import tensorflow as tf

        if self.values:
            return tf.cast(cells[:, None] == tf.constant(self.values)[None], tf.float32)
        number = (_days if self.kind == "date" else _numbers)(cells)
        found = [(number - self.mean) / self.scale]
        if self.kind == "date":
            for period in (YEAR, WEEK, *((DAY,) if self.hours else ())):
                angle = 2 * np.pi / period * number
                found += [tf.sin(angle), tf.cos(angle)]
        gone = tf.math.is_nan(number)
        found = [tf.where(gone, tf.zeros_like(f), f) for f in found]
        found += [tf.cast(gone, tf.float64)] if self.missing else []
        return tf.cast(tf.stack(found, axis=1), tf.float32)


def _numbers(cells):
    import tensorflow as tf

    return tf.strings.to_number(tf.where(cells == "", "nan", cells), tf.float64)


def _days(cells):
    """Return days since 1970, by the civil calendar."""
    import tensorflow as tf

    gone = cells == ""
    whole = tf.where(tf.strings.length(cells) < 19, cells + "T00:00:00", cells)
    whole = tf.where(gone, "1970-01-01T00:00:00", whole)

    def part(first, length):
        return tf.strings.to_number(tf.strings.substr(whole, first, length), tf.float64)

    year, month, day = part(0, 4), part(5, 2), part(8, 2)
    year = tf.where(month <= 2, year - 1, year)  # years begin in March: leap days come last
    month = tf.where(month <= 2, month + 9, month - 3)
    days = 365 * year + tf.floor(year / 4) - tf.floor(year / 100) + tf.floor(year / 400)
    days += tf.floor((153 * month + 2) / 5) + day - 1 - UNIX
    days += (3600 * part(11, 2) + 60 * part(14, 2) + part(17, 2)) / 86400
    return tf.where(gone, tf.constant(np.nan, tf.float64), days)
