"""Columns of a table as numbers for a model, in the graph that is exported, too."""

from __future__ import annotations

import functools
import keyword
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from kcatalog.recipe.data.base import tensorflow
from kcatalog.recipe.data.info import Details

DAY, WEEK, YEAR = 1.0, 7.0, 365.2425  # days
CROSSED = 64  # features of a cross, to which its combinations are hashed
UNSEEN = "[unseen category]"
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
        """Return the features (samples, features) of a tensor of cells (samples,), in float32.

        Categories are encoded by `TableDetails.space`.
        """
        import tensorflow as tf

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


@dataclass(frozen=True)
class TableDetails(Details):
    """Facts about a table: its columns, the names and units of the numbers to predict, and the
    categorical columns whose combinations get features, too."""

    columns: tuple[Column, ...] = ()
    targets: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    cross: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        read = [c if isinstance(c, Column) else Column(**_tuples(c)) for c in self.columns]
        object.__setattr__(self, "columns", tuple(read))

    @functools.cached_property
    def space(self):
        """The FeatureSpace of the categorical columns, under their places; None without any."""
        from keras import layers
        from keras.utils import FeatureSpace

        features = {
            str(i): FeatureSpace.feature(
                "string", layers.StringLookup(vocabulary=column.values, oov_token=UNSEEN), "one_hot"
            )
            for i, column in enumerate(self.columns)
            if column.values
        }
        if not features:
            return None
        names = [column.name for column in self.columns]
        crossed = [str(names.index(name)) for name in self.cross]
        crosses = [FeatureSpace.cross(crossed, CROSSED)] if crossed else []
        space = FeatureSpace(features, output_mode="dict", crosses=crosses)
        space.build_from_config({})  # the categories are known: there is nothing to adapt to
        space.get_inputs()  # builds its layers, which a graph could not
        return space

    def encode(self, cells):
        """Return the features of rows of cells, a tensor of text."""
        import tensorflow as tf

        found = {}
        if self.space:
            found = self.space({name: cells[:, int(name)] for name in self.space.features})
        # without the feature of unseen categories: no training sample has one
        parts = [
            found.pop(str(i))[:, 1:] if column.values else column.encode(cells[:, i])
            for i, column in enumerate(self.columns)
        ]
        return tf.concat([*parts, *found.values()], 1)

    @property
    def tables(self):
        return list(self.space.preprocessors.values()) if self.space else []

    def features(self, cells: np.ndarray) -> np.ndarray:
        """Return the features of rows of cells, computed as an export does."""
        tf, _ = tensorflow(), self.space  # no graph may make lookup tables
        with tf.device("CPU:0"):
            return tf.function(self.encode, autograph=False)(tf.constant(cells)).numpy()

    def entry(self, raw: Any):
        """Return what requests have in place of features: the cells of a row, as text."""
        import tensorflow as tf

        return tf.TensorSpec([None, len(self.columns)], tf.string, name=raw.name), self.encode

    def signatures(self, found: dict[Any, Any]) -> dict[Any, Any]:
        """Return a signature with an input for each column, numbers as numbers."""
        import tensorflow as tf

        answer, _ = found["serving_default"]
        names = _identifiers(column.name for column in self.columns)
        specs = {
            name: tf.TensorSpec([None], tf.float64 if column.numeric else tf.string, name=name)
            for name, column in zip(names, self.columns, strict=True)
        }

        def cell(x):
            if x.dtype == tf.string:
                return x
            text = tf.strings.as_string(x, precision=17, scientific=True)
            return tf.where(tf.math.is_nan(x), "", text)

        def columns(inputs):
            return answer(tf.stack([cell(inputs[name]) for name in names], axis=1))

        return {"columns": (columns, specs)}


def _identifiers(names) -> list[str]:
    """Return names that can be those of inputs in a SavedModel.

    >>> _identifiers(["age", "Größe (cm)", "a b", "a-b", "class"])
    ['age', 'Gr__e__cm_', 'a_b', 'a_b_2', 'class_']
    """
    found = []
    for name in names:
        base = re.sub(r"[^A-Za-z0-9_]", "_", name)
        base = base if base[:1].isalpha() else f"c_{base}"
        base = f"{base}_" if keyword.iskeyword(base) else base
        count = sum(each == base or each.startswith(f"{base}_") for each in found)
        found.append(f"{base}_{count + 1}" if base in found else base)
    return found


def _tuples(record: dict[Any, Any]) -> dict[Any, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
