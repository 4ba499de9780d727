"""Tables: a target from the other columns of a CSV file or a pandas DataFrame."""

from __future__ import annotations

import collections
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from kcatalog.recipe.data import dates, delimited, numbers
from kcatalog.recipe.data.base import Data, Source, need, split
from kcatalog.recipe.data.columns import Arrays, Column, Tensors
from kcatalog.recipe.data.findings import Finding, counted, listed
from kcatalog.recipe.data.info import DataInfo, Details
from kcatalog.recipe.data.option import Option
from kcatalog.recipe.terminal.errors import RecipeError

if TYPE_CHECKING:
    import pandas

FEWEST_ROWS, FEWEST_OF_CLASS = 20, 3
MOST_CLASSES = 100  # of texts
MOST_COUNTED = 20  # different whole numbers that are read as classes
MOST_VALUES = 50  # categories of a column that get a feature each
BOOLEAN = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"})
NUMBERED = re.compile(r"(^|[\W_])(id|key|uuid|index|nr|no|number|unnamed.*)$|^(unnamed.*)?$", re.I)


@dataclass(frozen=True)
class TableDetails(Details):
    """Facts about a table: its columns, and the names and units of the numbers to predict."""

    columns: tuple[Column, ...] = ()
    targets: tuple[str, ...] = ()
    units: tuple[str, ...] = ()

    def __post_init__(self):
        read = [c if isinstance(c, Column) else Column(**_tuples(c)) for c in self.columns]
        object.__setattr__(self, "columns", tuple(read))

    def encode(self, cells, m=Arrays):
        """Return the features of rows of cells."""
        parts = [column.encode(cells[:, i], m) for i, column in enumerate(self.columns)]
        return np.concatenate(parts, 1) if m is Arrays else m.tf.concat(parts, 1)

    def entry(self, raw):
        """Return what requests have in place of features: the cells of a row, as text."""
        import tensorflow as tf

        spec = tf.TensorSpec([None, len(self.columns)], tf.string, name=raw.name)
        return spec, lambda cells: self.encode(cells, Tensors())

    def signatures(self, found: dict) -> dict:
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


class Tables(Source):
    """Rows of a table: features from its columns, and what is predicted from the target column.

    Texts are read as categories, numbers are standardized, and dates become a trend and the seasons
    of year and week. The features are a matrix, which the model gets; an export takes the cells.

    Args:
        default: the set used without `--data`.
        target: the column to predict, or several separated by commas; the last one by default.
        target_kind: "regression" or "classification", for whole numbers, which may be either.
        frames: DataFrames by name, which `default` and `--data` can name.
    """

    wanted = "a CSV file"
    Details = TableDetails
    options = {
        "target": Option(str, "Target column of your table.", metavar="NAME,...", files="row"),
        "target_kind": Option(
            Literal["regression", "classification"], "What to do with the target.", files="row"
        ),
    }

    def __init__(
        self,
        default: str = "diabetes",
        target: str | None = None,
        target_kind: Literal["regression", "classification"] | None = None,
        frames: dict[str, pandas.DataFrame] | None = None,
    ):
        self.default, self.target, self.target_kind = default, target, target_kind
        self.frames = frames

    def sets(self):
        shipped = {
            name: lambda seed, name=name: self._shipped(name, seed)
            for name in ("diabetes", "wine", "breast_cancer", "iris")
        }
        given = {
            name: lambda seed, name=name, frame=frame: self._data(name, _cells(frame), seed)
            for name, frame in (self.frames or {}).items()
        }
        return {**shipped, **given}

    def load(self, name_or_path: str | Path | None = None, seed: int = 0) -> Data:
        file, colon, target = str(name_or_path or "").rpartition(":")
        path = Path(file).expanduser()
        if not colon or Path(str(name_or_path)).exists() or not path.is_file():
            return super().load(name_or_path, seed)
        if self.target not in (None, target):
            raise RecipeError(
                f"The target must be said once. Received: {target!r} with --data and "
                f"{self.target!r} with --target. Leave one out."
            )
        return self._data(path.name, delimited.read(path), seed, target)

    def from_path(self, path: Path, seed: int) -> Data:
        if not path.is_file():
            raise RecipeError(f"--data must be a CSV file. Received: the folder {path}.")
        return self._data(path.name, delimited.read(path), seed)

    def read(self, paths: list[Path], info: DataInfo) -> np.ndarray:
        """Read the rows of files as cells, the columns by their names."""
        found = []
        for path in paths:
            table = delimited.read(Path(path))
            absent = [c.name for c in info.details.columns if c.name not in table.names]
            if absent:
                raise RecipeError(
                    f"{path} must have the columns that the model was trained on. Missing: "
                    f"{listed(map(repr, absent))}. Received: {listed(map(repr, table.names), 20)}."
                )
            if not table.rows:
                raise RecipeError(f"{path} must have at least one row under its header.")
            found.append(_matrix(str(path), table, info.details.columns))
        return np.concatenate(found)

    def notes(self, paths: list[Path], info: DataInfo) -> list[dict]:
        """Return an empty note for each row, as a file has several."""
        return [{} for path in paths for _ in delimited.read(Path(path)).rows]

    def _shipped(self, name: str, seed: int) -> Data:
        """Load a set that ships with scikit-learn, in its own units."""
        sets = need("sklearn.datasets", "scikit-learn")
        how = {"scaled": False} if name == "diabetes" else {}
        loaded = getattr(sets, f"load_{name}")(as_frame=True, **how)
        frame = loaded.frame
        if name == "diabetes":
            frame = frame.assign(sex=frame["sex"].map({1.0: "first", 2.0: "second"}))
            frame = frame.rename(columns={"target": "progression"})
        else:
            names = dict(enumerate(map(str, loaded.target_names)))
            frame = frame.assign(target=frame["target"].map(names))
        return self._data(name, _cells(frame), seed, frame.columns[-1], shipped=True)

    def _data(self, name: str, table, seed: int, target=None, shipped: bool = False) -> Data:
        targets = self._targets(name, table, target or (None if shipped else self.target))
        found = list(table.findings)
        table = _with_target(name, table, targets, found)
        task, y, classes, details = self._labels(name, table, targets, found)
        _check_rows(name, y, classes)
        places = split(np.arange(len(y)), y, seed)
        train = places["train"][0]
        columns = _columns(name, table, targets, train, found)
        cells = _matrix(name, table, columns)
        _repeated(cells, y, found)
        details = TableDetails(tuple(columns), *details)
        x = details.encode(cells)
        parts = {part: (x[at], y[at]) for part, (at, _) in places.items()}
        more = {"classes": classes, "details": details, "findings": tuple(found)}
        return Data(name, task, "row", **parts, **more, requests=cells[places["test"][0]])

    def _targets(self, name: str, table, wanted: str | None) -> list[str]:
        """Return the names of the target columns."""
        if len(table.names) < 2:
            raise RecipeError(
                f"{name} must have a target and at least one other column. "
                f"Received: {listed(map(repr, table.names))}."
            )
        twice = [n for n, count in collections.Counter(table.names).items() if count > 1]
        if twice:
            raise RecipeError(
                f"{name} must have a different name for each column. Received: {twice[0]!r} more "
                "than once. Rename one of them."
            )
        if wanted is None:
            return [table.names[-1]]
        targets = [wanted] if wanted in table.names else [t.strip() for t in wanted.split(",")]
        absent = [t for t in targets if t not in table.names]
        if absent:
            raise RecipeError(
                f"The target must be a column of {name}. Received: {absent[0]!r}. "
                f"Its columns: {listed(map(repr, table.names), 20)}."
            )
        if len(targets) >= len(table.names):
            raise RecipeError(f"{name} must have columns beside the targets to predict from.")
        return targets

    def _labels(self, name: str, table, targets: list[str], found: list) -> tuple:
        """Return task, labels, classes, and names and units of numeric targets."""
        read = [_numeric(name, table, target) for target in targets]
        texts = [table.column(table.names.index(target)) for target in targets]
        if len(targets) > 1:
            return self._several(name, targets, read, found)
        (number,), (cells,), (target,) = read, texts, targets
        different = len(set(cells))
        if different < 2:
            raise RecipeError(
                f"The target {target!r} of {name} has the same value in every row. "
                "Choose another: --target NAME."
            )
        whole = number is not None and bool((number.values % 1 == 0).all())
        few = whole and len(np.unique(number.values)) <= MOST_COUNTED
        kind = self.target_kind or ("regression" if number and not few else "classification")
        if kind == "regression" and number is None:
            raise RecipeError(
                f"The target {target!r} of {name} must be numbers for a regression. "
                f"Received: {next(c for c in cells if not _is_number(c))!r}."
            )
        if kind == "regression":
            found.append(Finding("target", f"{target}, numbers: a regression"))
            y = number.values.astype("float32")[:, None]
            return "regression", y, (), ((target,), (number.unit,))
        if number is not None:
            order = np.unique(number.values)
            classes = tuple(f"{value:g}" for value in order)
            y = np.searchsorted(order, number.values)
        else:
            classes = tuple(sorted(set(cells)))
            y = np.searchsorted(np.array(classes), np.array(cells))
        if len(classes) > MOST_CLASSES:
            raise RecipeError(
                f"The target {target!r} of {name} has {len(classes)} different values, too many "
                f"for classes (at most {MOST_CLASSES}). Choose another target: --target NAME."
            )
        other = few and len(classes) > 2 and self.target_kind is None
        text = f"{target}, {len(classes)} classes"
        if len(classes) == 2:
            text = f"{target}, {classes[0]} or {classes[1]}"
        if other:
            text += " of whole numbers; to read them as numbers, add --target-kind regression"
        found.append(Finding("target", text, warning=bool(other)))
        task = "binary" if len(classes) == 2 else "classification"
        return task, y.astype("int32"), classes, ()

    def _several(self, name: str, targets: list[str], read: list, found: list) -> tuple:
        bad = next((t for t, n in zip(targets, read, strict=True) if n is None), None)
        if bad is not None:
            raise RecipeError(
                f"Several targets must be numbers, or 0 and 1 for labels. Received: {bad!r} of "
                f"{name}, which has texts."
            )
        y = np.stack([number.values for number in read], axis=1)
        labels = bool(np.isin(y, (0, 1)).all()) and self.target_kind != "regression"
        what = "labels, any number for a row" if labels else "numbers: a regression"
        found.append(Finding("target", f"{listed(targets)}, {len(targets)} {what}"))
        if labels:
            return "multi-label", y.astype("int32"), tuple(targets), ()
        units = tuple(number.unit for number in read)
        return "regression", y.astype("float32"), (), (tuple(targets), units)


# --- columns -------------------------------------------------------------------------------


def _columns(name: str, table, targets: list[str], train: np.ndarray, found: list) -> list[Column]:
    """Return the columns that are used, and note those that are left out."""
    columns, out, gaps, kinds = [], collections.defaultdict(list), [], []
    for place, column in enumerate(table.names):
        if column in targets:
            continue
        cells = table.column(place)
        filled = [cell for cell in cells if not _missing(cell)]
        if not filled:
            out["empty"].append(column)
        elif len(set(cells)) == 1:
            out["constant"].append(column)
        elif _identifies(column, cells, filled):
            out["different in every row"].append(column)
        else:
            made = _column(name, table, place, train)
            columns.append(made)
            kinds.append(made.kind)
            if (empty := len(cells) - len(filled)) > 0:
                gaps.append(f"{column} {empty}")
    if not columns:
        reasons = "; ".join(f"{why}: {listed(names)}" for why, names in out.items())
        raise RecipeError(f"{name} has no column to predict from ({reasons}).")
    found.append(Finding("columns", _plurals(counted(kinds))))
    for why, names in out.items():
        found.append(Finding("left out", f"{why}: {listed(names)}", warning=True))
    if gaps:
        text = f"{listed(gaps)}; numbers and dates are filled with the mean, and all are marked"
        found.append(Finding("missing", text))
    if rare := [c.name for c in columns if len(c.values) == MOST_VALUES]:
        text = f"only the {MOST_VALUES} most frequent of {listed(rare)}, others count as none"
        found.append(Finding("categories", text, warning=True))
    return columns


def _column(name: str, table, place: int, train: np.ndarray) -> Column:
    column = table.names[place]
    cells = _canonical(name, table, column)
    known = [cells[0][i] for i in train]
    kind, missing = cells[1], "" in cells[0]
    if kind in ("category", "boolean"):
        values = [value for value, _ in collections.Counter(known).most_common(MOST_VALUES)]
        return Column(column, kind, values=tuple(sorted(values)))
    read = Arrays.days(known) if kind == "date" else Arrays.numbers(known)
    read = read[np.isfinite(read)]
    mean, scale = (float(read.mean()), float(read.std())) if len(read) else (0.0, 1.0)
    hours = kind == "date" and any("T" in cell for cell in cells[0])
    return Column(column, kind, mean, scale or 1.0, missing, hours=hours)


def _canonical(name: str, table, column: str, kind: str | None = None) -> tuple[list[str], str]:
    """Return a column's cells as `Column` takes them, and its kind (found without `kind`)."""
    cells = table.column(table.names.index(column))
    gone = np.array([_missing(cell) for cell in cells])
    if kind in (None, "number"):
        number = _numeric(name, table, column, required=kind == "number")
        if number is not None:
            return ["" if g else repr(float(v)) for g, v in zip(gone, number.values, strict=True)
                    ], "number"  # fmt: skip
    if kind in (None, "date"):
        read = dates.read([cell for cell, g in zip(cells, gone, strict=True) if not g], column)
        good = np.zeros(int((~gone).sum()), bool) if read is None else read.notna()
        if good.all():
            found = iter(() if read is None else read)
            return ["" if g else _iso(next(found)) for g in gone], "date"
        if kind == "date":
            at = int(np.flatnonzero(~gone)[np.argmin(good)])
            raise RecipeError(
                f"{name} must have dates in column {column!r}. Received: {cells[at]!r} in line "
                f"{table.lines[at]}."
            )
    lower = {cell.lower() for cell, g in zip(cells, gone, strict=True) if not g}
    boolean = any(lower <= pair for pair in BOOLEAN)
    if kind == "boolean" or (kind is None and boolean):
        return ["" if g else c.lower() for g, c in zip(gone, cells, strict=True)], "boolean"
    return ["" if g else c for g, c in zip(gone, cells, strict=True)], "category"


def _numeric(name: str, table, column: str, required: bool = False):
    """Return a column of numbers, NaN where a cell is missing; None for one of something else."""
    cells = table.column(table.names.index(column))
    filled = np.array([not _missing(cell) for cell in cells])
    if not filled.any():
        return numbers.Numbers(np.full(len(cells), np.nan), ~filled, ~filled) if required else None
    read = numbers.read([cell for cell, f in zip(cells, filled, strict=True) if f])
    if read.doubt is not None:
        raise RecipeError(
            f"{name} has numbers that can be read in two ways in column {column!r}, such as "
            f"{read.doubt!r}. Write them without separators between thousands."
        )
    good = np.isfinite(read.values)
    if not good.all():
        if good.mean() < 0.9 and not required:
            return None
        at = np.flatnonzero(filled)[int(np.argmin(good))]
        raise RecipeError(
            f"{name} must have a number in column {column!r} of every line. Received: "
            f"{cells[at]!r} in line {table.lines[at]}, and {int((~good).sum()) - 1} more. "
            "Correct the cells, or leave them empty."
        )
    values = np.full(len(cells), np.nan)
    values[filled] = read.values
    return numbers.Numbers(values, ~filled, np.zeros(len(cells), bool), read.unit)


def _matrix(name: str, table, columns) -> np.ndarray:
    """Return the cells of the columns as text (rows, columns)."""
    found = [_canonical(name, table, column.name, column.kind)[0] for column in columns]
    return np.array(found).T


# --- rows ----------------------------------------------------------------------------------


def _cells(frame) -> delimited.Table:
    """Return a DataFrame's cells as text."""
    text = frame.astype(object).where(frame.notna(), "").map(str)
    rows = text.to_numpy().tolist()
    return delimited.Table([str(c) for c in frame.columns], rows, list(range(len(rows))), "", [])


def _with_target(name: str, table, targets: list[str], found: list) -> delimited.Table:
    """Return the table without the rows that have no target."""
    places = [table.names.index(target) for target in targets]
    keep = [not any(_missing(row[p]) for p in places) for row in table.rows]
    if dropped := len(keep) - sum(keep):
        found.append(Finding("left out", f"{dropped} rows without a target", warning=True))
    rows = [row for row, k in zip(table.rows, keep, strict=True) if k]
    lines = [line for line, k in zip(table.lines, keep, strict=True) if k]
    if len(rows) < FEWEST_ROWS:
        raise RecipeError(
            f"{name} must have at least {FEWEST_ROWS} rows with a target. Received: {len(rows)}."
        )
    return delimited.Table(table.names, rows, lines, table.separator, table.findings)


def _check_rows(name: str, y: np.ndarray, classes: tuple[str, ...]) -> None:
    if y.ndim > 1:
        return
    counts = np.bincount(y, minlength=len(classes))
    if counts.min() < FEWEST_OF_CLASS:
        raise RecipeError(
            f"Each class of {name} must have at least {FEWEST_OF_CLASS} rows: one each to train, "
            f"validate and test. Received: {counts.min()} of {classes[int(counts.argmin())]!r}. "
            "Add rows, or remove these."
        )


def _repeated(cells: np.ndarray, y: np.ndarray, found: list) -> None:
    rows = [(*row, *np.ravel(label)) for row, label in zip(cells.tolist(), y, strict=True)]
    if more := len(rows) - len(set(rows)):
        found.append(Finding("duplicates", f"{more} rows repeat an earlier row", warning=True))


def _identifies(name: str, cells: list[str], filled: list[str]) -> bool:
    """Return whether a column names its row: all different, and texts or numbers of rows."""
    if len(set(cells)) < len(cells):
        return False
    if not all(_is_number(cell) for cell in filled):
        read = numbers.read(filled)
        if np.isfinite(read.values).mean() >= 0.9:
            return False
        return dates.read(filled, name) is None
    values = np.array([float(cell) for cell in filled])
    if (values % 1).any():
        return False
    return bool(NUMBERED.search(name)) or bool((np.diff(np.sort(values)) == 1).all())


def _missing(cell: str) -> bool:
    return cell.lower() in numbers.MISSING or cell.lower() == "nat"


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def _iso(date) -> str:
    text = date.isoformat()[:19]
    return text.removesuffix("T00:00:00")


def _plurals(counts: str) -> str:
    words = {"number": "numeric", "category": "categorical", "boolean": "boolean", "date": "date"}
    return re.sub(r"[a-z]+", lambda m: words.get(m[0], m[0]), counts)


def _identifiers(names) -> list[str]:
    """Return names that can be those of inputs in a SavedModel.

    >>> _identifiers(["age", "Größe (cm)", "a b", "a-b"])
    ['age', 'Gr__e__cm_', 'a_b', 'a_b_2']
    """
    found = []
    for name in names:
        base = re.sub(r"[^A-Za-z0-9_]", "_", name)
        base = base if base[:1].isalpha() else f"c_{base}"
        count = sum(each == base or each.startswith(f"{base}_") for each in found)
        found.append(f"{base}_{count + 1}" if base in found else base)
    return found


def _tuples(record: dict) -> dict:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
