"""Tables: a target from the other columns of a CSV file or a pandas DataFrame."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kcatalog.recipe.data import cells as table_cells
from kcatalog.recipe.data import delimited
from kcatalog.recipe.data import targets as target_columns
from kcatalog.recipe.data.base import Data, Source, need, split
from kcatalog.recipe.data.columns import CROSSED, Column, TableDetails
from kcatalog.recipe.data.delimited import Table
from kcatalog.recipe.data.findings import Finding, listed
from kcatalog.recipe.data.info import DataInfo
from kcatalog.recipe.data.option import option, with_options
from kcatalog.recipe.terminal.errors import RecipeError

FEWEST_ROWS = 20


@with_options
class Tables(Source):
    """Rows of a table: features from its columns, and what is predicted from the target column.

    Texts are read as categories, which Keras's `FeatureSpace` encodes, numbers are standardized,
    and dates become a trend and the seasons of year and week. The features are a matrix, which the
    model gets; an export takes the cells.

    The target is the last column by default. Its kind is stated for whole numbers, which may be
    either. `frames` are DataFrames by name, which `default` and `--data` can name.
    """

    wanted = "a CSV file"
    Details = TableDetails

    default: str = "diabetes"
    target: str | None = option(
        None, "Target column of your table.", metavar="NAME,...", files="row"
    )
    target_kind: Literal["regression", "classification"] | None = option(
        None, "What to do with the target.", files="row"
    )
    categorical: str | None = option(
        None, "Columns whose numbers are categories.", metavar="NAME,...", files="row"
    )
    frames: dict[str, Any] | None = None

    def sets(self):
        shipped = {
            name: lambda seed, name=name: self._shipped(name, seed)
            for name in ("diabetes", "wine", "breast_cancer", "iris", "digits")
        }
        given = {
            name: lambda seed, name=name, frame=frame: self._data(_cells(name, frame), seed)
            for name, frame in (self.frames or {}).items()
        }
        return {**shipped, **given}

    def load(self, name_or_path: str | Path | None = None, seed: int = 0) -> Data:
        if not (named := delimited.column_of(name_or_path, "target", self.target)):
            return super().load(name_or_path, seed)
        file, target = named
        return self._data(_named(file), seed, target)

    def from_path(self, path: Path, seed: int) -> Data:
        if not path.is_file():
            raise RecipeError(f"--data must be a CSV file. Received: the folder {path}.")
        return self._data(_named(path), seed)

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
            found.append(table_cells.matrix(table, info.details.columns))
        return np.concatenate(found)

    def notes(self, paths: list[Path], info: DataInfo) -> list[dict[Any, Any]]:
        """Return an empty note for each row, as a file has several."""
        return [{} for path in paths for _ in delimited.read(Path(path)).rows]

    def check_task(self, data: Data, task: str) -> None:
        labels = data.classes if data.train[1].ndim == 1 else ()
        if labels and self.target_kind is None and all(map(table_cells.is_number, labels)):
            raise RecipeError(
                f"The target of {data.name} must be known to be numbers or classes for the task "
                f"{task!r}. Received: {len(labels)} different whole numbers, which are read "
                "as classes. Add --target-kind regression to read them as numbers, or "
                "--target-kind classification."
            )

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
        return self._data(_cells(name, frame), seed, frame.columns[-1], shipped=True)

    def _data(self, table: Table, seed: int, target=None, shipped: bool = False) -> Data:
        name, found = table.name, table.findings
        targets = target_columns.chosen(table, target or (None if shipped else self.target))
        table = _with_target(table, targets)
        task, y, classes, facts = target_columns.labels(table, targets, self.target_kind)
        target_columns.check_rows(name, y, classes)
        places = split(np.arange(len(y)), y, seed)
        categorical = None if shipped else self.categorical
        columns = table_cells.columns(table, targets, places["train"][0], categorical)
        cells = table_cells.matrix(table, columns)
        _repeated(cells, y, found)
        cross = self._crossed(table, columns)
        details = TableDetails(tuple(columns), *facts, cross=cross)
        x = details.features(cells)
        parts = {part: (x[at], y[at]) for part, (at, _) in places.items()}
        more = {"classes": classes, "details": details, "findings": tuple(found)}
        return Data(name, task, "row", **parts, **more, requests=cells[places["test"][0]])

    def _crossed(self, table: Table, columns: list[Column]) -> tuple[str, ...]:
        """Return the columns whose combinations get features."""
        return ()


@with_options
class FeatureTables(Tables):
    """Rows of a table, each of one class: two classes get an output each."""

    default: str = "wine"
    target_kind: str = dataclasses.field(default="classification", init=False)
    cross: str | None = option(
        None, "Columns whose combinations are features, too.", metavar="NAME,...", files="row"
    )

    def _crossed(self, table: Table, columns: list[Column]) -> tuple[str, ...]:
        categories = [column.name for column in columns if column.values]
        cross = tuple(part.strip() for part in (self.cross or "").split(",") if part.strip())
        if cross and (len(cross) < 2 or not set(cross) <= set(categories)):
            raise RecipeError(
                f"--cross must name two or more categorical columns of {table.name}. Received: "
                f"{self.cross!r}. Its categorical columns: {listed(categories, 20) or 'none'}."
            )
        if cross:
            table.findings.append(Finding("cross", f"{listed(cross)}: {CROSSED} features"))
        return cross

    def _data(self, table, *args, **how) -> Data:
        data = super()._data(table, *args, **how)
        if data.train[1].ndim > 1:
            raise RecipeError(
                f"The target of {table.name} must be one column. Received: {listed(data.classes)}. "
                "Choose one of them: --target NAME."
            )
        return dataclasses.replace(data, task="classification")


def _named(file: Path) -> Table:
    """Read a file's cells, which messages call by the name of the file."""
    return dataclasses.replace(delimited.read(file), name=file.name)


def _cells(name: str, frame) -> Table:
    """Return a DataFrame's cells as text."""
    text = frame.astype(object).where(frame.notna(), "").map(str)
    rows = text.to_numpy().tolist()
    return Table(name, [str(c) for c in frame.columns], rows, list(range(len(rows))), "", [])


def _with_target(table: Table, targets: list[str]) -> Table:
    """Return the table without the rows that have no target."""
    places = [table.names.index(target) for target in targets]
    kept = [
        (row, line)
        for row, line in zip(table.rows, table.lines, strict=True)
        if not any(table_cells.missing(row[p]) for p in places)
    ]
    if dropped := len(table.rows) - len(kept):
        text = f"{dropped} rows without a target"
        table.findings.append(Finding("left out", text, warning=True))
    if len(kept) < FEWEST_ROWS:
        raise RecipeError(
            f"{table.name} must have at least {FEWEST_ROWS} rows with a target. "
            f"Received: {len(kept)}."
        )
    rows, lines = map(list, zip(*kept, strict=True))
    return dataclasses.replace(table, rows=rows, lines=lines)


def _repeated(cells: np.ndarray, y: np.ndarray, found: list[Any]) -> None:
    rows = [(*row, *np.ravel(label)) for row, label in zip(cells.tolist(), y, strict=True)]
    if more := len(rows) - len(set(rows)):
        found.append(Finding("duplicates", f"{more} rows repeat an earlier row", warning=True))
