"""Arrays, how they were split and what they mean; and the source they come from."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kcatalog import checks
from kcatalog.recipe.data.files import Files, take
from kcatalog.recipe.data.findings import PARTS, Finding
from kcatalog.recipe.data.info import DataInfo, Details
from kcatalog.recipe.data.option import Option
from kcatalog.recipe.data.scan import NOTHING, Kind
from kcatalog.recipe.terminal.errors import RecipeError

TEST_SEED = 0  # draws the held-out part, whatever the run's seed is, so that scores compare

Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Data:
    """A task's samples: `x` as the model receives it, raw, and `y` as class indices, or as
    numbers where numbers are what is forecast. `x` is an array, or `Files` that stay on disk.

    name: what was asked for: "digits", or a folder's or file's name.
    task: a task's name, such as "classification" or "regression" (`kcatalog.recipe.tasks`).
    input_name: the name of the model's input: "image", "frames", "waveform", "characters",
        "history".
    classes: what each label means; for text, the characters; for a forecast, none.
    picture: makes an (H, W, 3) uint8 image of one sample, where that makes sense.
    details: what else recipe, pictures or prediction need to know, such as a waveform's rate.
    findings: what its source found and did, such as files left out; said before the first trial.
    settings: values that the source found for its options; a run stores them for `--resume`.
    requests: the test part as requests carry it, where that is not `x`, such as a table's cells.
    """

    name: str
    task: str
    input_name: str
    train: Arrays
    validation: Arrays
    test: Arrays
    classes: tuple[str, ...]
    picture: Callable[[np.ndarray], np.ndarray] | None = None
    details: Details = field(default_factory=Details)
    findings: tuple[Finding, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    requests: np.ndarray | None = None

    def __post_init__(self) -> None:
        for split in ("train", "validation", "test"):
            _check(f"{self.name}, {split} part", *getattr(self, split), self.classes)

    def __deepcopy__(self, memo: dict[int, Any]) -> Data:
        """Itself: data do not change. The tuner copies callbacks, some of which hold data."""
        return self

    @property
    def input_shape(self) -> tuple[int, ...]:
        """One sample's shape."""
        return self.train[0].shape[1:]

    def keep(self, folder: Path, memory: float) -> None:
        """Decode each file once: keep the samples in memory where all of them take at most
        `memory` GB, else in a file in `folder` that goes when the process does."""
        for x in self._files()[:1]:  # all parts are on one shelf
            x.shelf.keep(folder, int(memory * 1024**3))

    def decode(self, advance: Callable[[int], None] = lambda total: None) -> None:
        """Decode each file now. One error names all that cannot be read.

        `advance` is called after each file, with the number of all.
        """
        if files := self._files():
            files[0].shelf.decode(np.concatenate([x.places for x in files]), advance)

    def changed(self) -> list[Path]:
        """Return the files of training and validation part that have changed since `load`."""
        parts = [x for x, _ in (self.train, self.validation) if isinstance(x, Files)]
        return [x.shelf.paths[place] for x in parts for place in x.places if x.shelf.changed(place)]

    def _files(self) -> list[Files]:
        parts = (self.train[0], self.validation[0], self.test[0])
        return [x for x in parts if isinstance(x, Files)]

    @property
    def info(self) -> DataInfo:
        """The facts about the data that run records and manifests store."""
        names = ("name", "input_name", "input_shape", "classes", "fingerprint", "details")
        return DataInfo(task=str(self.task), **{name: getattr(self, name) for name in names})

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 over every sample, every label, the classes and the split."""
        return self._digest(*self.train, *self.validation, *self.test)

    @functools.cached_property
    def learned(self) -> str:
        """SHA-256 like `fingerprint`, over training and validation part alone."""
        return self._digest(*self.train, *self.validation)

    def _digest(self, *arrays) -> str:
        facts = (str(self.task), self.classes, asdict(self.details))
        digest = hashlib.sha256(repr(facts).encode())
        for array in arrays:
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            on_disk = isinstance(array, Files)
            for piece in array.digests() if on_disk else [np.ascontiguousarray(array).data]:
                digest.update(piece)
        return digest.hexdigest()


class Source:
    """The source of a recipe's data: a set known by name, or the user's own path.

    A subclass lists the sets it knows in `sets` (name -> loader taking the run's seed), reads
    the user's path in `from_path`, and reads further files for prediction in `read`. `Details` is
    the class of its data's details. `options` are arguments of its constructor, stored under their
    own names, that the command line may set; those of a dataclass are found by `with_options`. A
    folder is read in three steps: find the files and what they are labelled with, check them and
    declare how each is decoded (`Files`), and split (`split`).
    """

    default: str  # the set used without `--data`
    wanted: str  # what the user's path should be, for messages
    Details: type[Details] = Details
    options: dict[str, Option] = {}

    def sets(self) -> dict[str, Callable[[int], Data]]:
        raise NotImplementedError

    def from_path(self, path: Path, seed: int) -> Data:
        raise NotImplementedError

    def read(self, paths: list[Path], info: DataInfo) -> np.ndarray | list[str]:
        """Read the user's files for prediction, prepared as `load` prepared the training data.

        Args:
            paths: the files.
            info: of the data the model was trained on.
        """
        raise NotImplementedError

    def kind(self, info: DataInfo) -> Kind:
        """Return the kind of files that `read` takes from a folder."""
        from kcatalog.recipe.data import inputs  # which imports this module

        suffixes = tuple(sorted(inputs.kind(info.input_name).suffixes))
        return Kind("files for this model", suffixes, NOTHING, {})

    def notes(self, paths: list[Path], info: DataInfo) -> list[dict[Any, Any]]:
        """Return facts about files that belong beside their predictions, such as dates, by name.

        A "note" says what was done to a file that the reader should know of.
        """
        return [{} for _ in paths]

    def check_task(self, data: Data, task: str) -> None:
        """Refuse labels that may have been misread, as the recipe's task is not the data's own.

        Raises:
            RecipeError: the source has to be told how to read them.
        """

    def settings(self) -> dict[str, Any]:
        """Return the values of the options."""
        return {name: getattr(self, name) for name in self.options}

    def configured(self, settings: dict[str, Any]) -> Source:
        """Return a copy with other values of its options; other settings are left out."""
        given = {name: value for name, value in settings.items() if name in self.options}
        if not given:
            return self
        own = {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}
        try:
            return type(self)(**{**own, **given})
        except ValueError as e:
            raise RecipeError(str(e)) from e

    def load(self, name_or_path: str | Path | None = None, seed: int = 0) -> Data:
        """Load the data called `name_or_path`, or the default.

        Args:
            name_or_path: a known name, or the path of the user's own data.
            seed: draws the validation part. The test part never depends on it.

        Raises:
            RecipeError: there is no such data, or it cannot be learned from.
        """
        name, sets = str(name_or_path or self.default), self.sets()
        if name in sets:
            return sets[name](seed)
        path = Path(name).expanduser()
        if path.exists():
            return self.from_path(path, seed)
        hint = checks.closest(name, sets)
        if hint.startswith("Did"):
            hint = f"{hint} Known by name: {', '.join(sets)}."
        raise RecipeError(
            f"--data must be {self.wanted}, or a known name. Received: {name!r}, which is "
            f"neither. {hint}"
        )


def split(
    x,
    y: np.ndarray,
    seed: int,
    test: Arrays | None = None,
    validation: float = 0.1,
    given: np.ndarray | None = None,
) -> dict[str, Arrays]:
    """Split samples into training, validation and test part.

    Args:
        x, y: the samples, with one label each or an array of labels.
        seed: draws the validation part.
        test: the official test part; None holds out a fifth, the same one whatever the seed is.
        validation: the share of what is left that validates.
        given: the part that the user put each sample into; those that are missing are drawn.
    """
    found = {"train": (x, y)} if test is None else {"train": (x, y), "test": test}
    if given is not None:
        places = {part: np.flatnonzero(given == part) for part in PARTS}
        found = {part: (take(x, at), y[at]) for part, at in places.items() if len(at)}
    for part, share, draws in (("test", 0.2, TEST_SEED), ("validation", validation, seed)):
        if part not in found:
            found["train"], found[part] = hold_out(*found["train"], share, draws)
    return {part: found[part] for part in PARTS}


def hold_out(x, y: np.ndarray, fraction: float, seed: int) -> tuple[Arrays, Arrays]:
    """Return the samples kept and held out: `fraction` of every class, one sample at least."""
    single = y.ndim == 1 and y.dtype.kind != "f"
    labels = y if single else np.zeros(len(y))  # numbers and arrays are of no single class
    rng, kept, held = np.random.default_rng(seed), [], []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        count = max(1, round(fraction * len(members)))
        held.append(members[:count])
        kept.append(members[count:])
    kept, held = np.sort(np.concatenate(kept)), np.sort(np.concatenate(held))
    return (take(x, kept), y[kept]), (take(x, held), y[held])


def need(module: str, package: str):
    """Import a package of the `recipes` extra."""
    try:
        return importlib.import_module(module)
    except ImportError as e:
        raise RecipeError(
            f"This needs the package {package}, which is not installed. "
            'Install it with: pip install "kcatalog[recipes]"'
        ) from e


def tensorflow():
    """TensorFlow; beside another backend, for which it feeds and logs, without that one's GPU."""
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        with contextlib.suppress(RuntimeError):  # it has started, and has what it has
            tf.config.set_visible_devices([], "GPU")
    return tf


def _check(where: str, x, y: np.ndarray, classes: tuple[str, ...]) -> None:
    """Refuse features that are not finite, and labels that name no class."""
    if not len(x):
        raise RecipeError(f"{where}: there must be at least one sample. Received: none.")
    if len(x) != len(y):
        raise RecipeError(
            f"{where}: there must be one label per sample. "
            f"Received: {len(x)} samples, {len(y)} labels."
        )
    if not isinstance(x, Files):  # whoever decodes a file sees to it
        _check_finite(where, "features", x)
    _check_finite(where, "targets", y)
    if np.issubdtype(y.dtype, np.floating):
        return
    wrong = ((y < 0) | (y >= len(classes))).reshape(len(y), -1).any(axis=1)
    if wrong.any():
        first = int(wrong.argmax())
        raise RecipeError(
            f"{where}: labels must be 0 to {len(classes) - 1}, one per class. Received: "
            f"{np.ravel(y[first]).tolist()} at index {first}. Correct the label."
        )


def _check_finite(where: str, what: str, x: np.ndarray) -> None:
    if not np.issubdtype(x.dtype, np.floating):
        return
    bad = ~np.isfinite(x).reshape(len(x), -1).all(axis=1)
    if bad.any():
        raise RecipeError(
            f"{where}: {what} must be finite numbers. Received: NaN or infinity in "
            f"{bad.sum()} of {len(x)} samples, the first at index {int(bad.argmax())}. "
            "Repair or remove them."
        )
