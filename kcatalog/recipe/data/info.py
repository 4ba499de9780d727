"""Facts about the data: what run records and manifests say of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from kcatalog import checks


@dataclass(frozen=True)
class Details:
    """Facts that not every source has; a source that has some adds fields in a subclass.

    Where requests to an export carry another form than the model's input, `entry` says which.
    """

    def entry(self, raw: Any) -> tuple[Any, ...] | None:
        """Return the TensorSpec of requests, and the function in the graph from them to the raw
        input; None if requests carry the raw input itself."""
        return None

    @property
    def tables(self) -> list[Any]:
        """The layers with lookup tables that `entry` uses, which a SavedModel has to track."""
        return []

    def signatures(self, found: dict[Any, Any]) -> dict[Any, Any]:
        """Return further signatures, made from those that the task names."""
        return {}


@dataclass(frozen=True)
class DataInfo:
    """Facts about the data, as run records and manifests store them.

    name: "digits", or the name of the user's folder or file.
    task: the name of the task (`kcatalog.recipe.tasks`).
    input_name: the name of the model's input.
    input_shape: one sample's shape.
    classes: the name of each label.
    fingerprint: SHA-256 of samples, labels, classes and split.
    details: facts that only their source has, such as a series' season.
    """

    name: str
    task: str
    input_name: str
    input_shape: tuple[int, ...]
    classes: tuple[str, ...]
    fingerprint: str = ""
    details: Details = Details()

    def __post_init__(self) -> None:
        reserved = {f.name for f in dataclasses.fields(DataInfo)}
        for field in dataclasses.fields(self.details):
            if field.name in reserved:
                raise checks.error(
                    type(self.details).__name__,
                    "fields",
                    f"named otherwise than those of DataInfo: {', '.join(sorted(reserved))}",
                    field.name,
                )

    def to_record(self) -> dict[Any, Any]:
        """Return what JSON can store; details stand beside the other facts."""
        record = {**vars(self), **dataclasses.asdict(self.details)}
        del record["details"]
        return {k: list(v) if isinstance(v, tuple) else v for k, v in record.items()}

    @classmethod
    def from_record(cls, record: dict[Any, Any], details: type[Details] = Details) -> DataInfo:
        """Read what `to_record` returned.

        Args:
            record: facts by their names; others than those below are left out.
            details: the source's class of details.

        Raises:
            TypeError: a fact is missing.
        """

        def known(kind) -> dict[Any, Any]:
            names = [f.name for f in dataclasses.fields(kind) if f.name in record]
            return {n: tuple(v) if isinstance(v := record[n], list) else v for n in names}

        return cls(**{**known(cls), "details": details(**known(details))})
