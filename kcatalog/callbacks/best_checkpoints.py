import json
import math
import os
import warnings
from pathlib import Path
from typing import Any

import keras

from kcatalog import checks
from kcatalog.atomic import atomic_write
from kcatalog.callbacks import periodic
from kcatalog.callbacks.direction import higher_is_better
from kcatalog.card import Example, Paper, Part
from kcatalog.registry import component

INDEX = "index.json"


@component(
    paper=Paper(
        "PyTorch Image Models",
        "Wightman",
        2019,
        "https://github.com/huggingface/pytorch-image-models",
        "utils, CheckpointSaver",
    ),
    equation="keep the k epochs with the best values of a metric",
    tags=("monitoring",),
    example=Example(
        {"directory": Part("tempfile.mkdtemp", prefix="kcatalog-"), "monitor": "loss", "keep": 2}
        | {"weights_only": True}
    ),
)
class BestCheckpoints(keras.callbacks.Callback):
    """Best checkpoints: keeps the `keep` best epochs of a training on the disk.

    `keras.callbacks.ModelCheckpoint` keeps the best one, or all. Use several to choose among them
    by another metric, to average their weights, or where the monitored metric is noisy. To
    continue an interrupted training use `keras.callbacks.BackupAndRestore` beside it.

    Maths:
        After each epoch with value `m`: if fewer than `k` checkpoints exist, or `m` is better than
        the worst of them, save the model and remove the worst beyond `k` = `keep`.

    Args:
        directory: The directory of the checkpoints, of one training alone: a path. It is made if
            it does not exist.
        monitor: The name of the metric in the logs of an epoch.
        mode: `"min"`, `"max"`, or `"auto"` for the direction that Keras takes from the metric.
        keep: `k`, how many checkpoints to keep, an integer in [1, inf).
        weights_only: Whether to save weights, as `.weights.h5`, instead of models, as `.keras`.

    Shapes:
        One file per checkpoint, `<epoch>.keras` or `<epoch>.weights.h5`, with epochs counted
        from 1, and `index.json`: files, epochs and values, best first.

    Behaviour:
        Files are written beside and renamed, the index after them, and what it no longer lists is
        removed last: a kill at any time leaves an index whose files are whole. A directory with an
        index is continued, so its checkpoints compete with those of the new training. Of equal
        values the earlier stays. An epoch without a value, or with NaN, is not saved.
        `restore_best(model)` loads weights, and the optimizer's state if the model is compiled;
        `best` is the path of the best file, or None. Inside `SwapAveragedWeights` averages are
        saved.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        >>> model = keras.Sequential([keras.Input((1,)), layer])
        >>> model.compile(keras.optimizers.SGD(0.75), "mse")  # w: 0, 1.5, 0.75, 1.125
        >>> x = np.ones((1, 1))
        >>> data = {"x": x, "y": x, "validation_data": (x, x), "verbose": 0}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     best = BestCheckpoints(folder, keep=2, weights_only=True)
        ...     history = model.fit(**data, epochs=3, callbacks=[best])
        ...     [(c["epoch"], c["value"]) for c in best.checkpoints]
        [(3, 0.015625), (2, 0.0625)]
    """

    def __init__(
        self,
        directory: str | Path,
        monitor: str = "val_loss",
        mode: str = "auto",
        keep: int = 3,
        weights_only: bool = False,
    ):
        super().__init__()
        fix = 'For example: "checkpoints".'
        checks.instance(self, "directory", directory, (str, os.PathLike), "a path", fix)
        self.directory = directory
        rule = "the name of a metric"
        self.monitor = checks.instance(self, "monitor", monitor, str, rule, 'E.g. "val_loss".')
        self.mode = checks.choice(self, "mode", mode, ("auto", "min", "max"))
        self.keep = checks.integer(self, "keep", keep, "[1, inf)")
        self.weights_only = checks.boolean(self, "weights_only", weights_only)
        self._seen = None

    @property
    def checkpoints(self) -> list[dict[str, Any]]:
        """The index, best first: a list of dicts with `file`, `epoch` and `value`."""
        index = self._index()
        return [c for c in index["checkpoints"] if (Path(self.directory) / c["file"]).exists()]

    @property
    def best(self) -> Path | None:
        """The path of the best checkpoint, or None."""
        first = self.checkpoints[:1]
        return Path(self.directory) / first[0]["file"] if first else None

    def restore_best(self, model: keras.Model) -> None:
        """Load the best checkpoint's weights into a model like the one that was saved."""
        best = self.best
        if best is None:
            raise FileNotFoundError(f"There is no checkpoint in {self.directory}. Train first.")
        model.load_weights(best)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        monitor = self._index()["monitor"]
        if monitor != self.monitor:
            rule = f"{monitor!r}, which the checkpoints in {self.directory} were chosen by"
            raise checks.error(self, "monitor", rule, self.monitor, "Or use an empty directory.")
        self._seen = False

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        value = (logs or {}).get(self.monitor)
        if value is None:
            return
        self._seen = True
        higher = higher_is_better(self, self.monitor, self.mode)
        kept, value = self.checkpoints, float(value)
        place = sum(c["value"] >= value if higher else c["value"] <= value for c in kept)
        if math.isnan(value) or place >= self.keep:
            return
        file = self._save(epoch, {c["file"] for c in kept})
        kept.insert(place, {"file": file, "epoch": epoch + 1, "value": value})
        self._write(kept[: self.keep])
        for dropped in kept[self.keep :]:
            (Path(self.directory) / dropped["file"]).unlink(missing_ok=True)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._seen is False:
            warnings.warn(
                f"BestCheckpoints: nothing was saved, as {self.monitor!r} was in no epoch's logs: "
                f"{sorted(logs or {})}.",
                RuntimeWarning,
                stacklevel=2,
            )

    def _save(self, epoch, taken):
        suffix, number = ".weights.h5" if self.weights_only else ".keras", 1
        file = f"{epoch + 1:04d}{suffix}"
        while file in taken:  # of an earlier training
            number += 1
            file = f"{epoch + 1:04d}-{number}{suffix}"
        periodic.sync(self.model)
        with atomic_write(Path(self.directory) / file) as beside:
            (self.model.save_weights if self.weights_only else self.model.save)(beside)
        return file

    def _index(self):
        file = Path(self.directory) / INDEX
        if not file.exists():
            return {"monitor": self.monitor, "checkpoints": []}
        return json.loads(file.read_text(encoding="utf-8"))

    def _write(self, kept):
        with atomic_write(Path(self.directory) / INDEX) as beside:
            index = {"monitor": self.monitor, "checkpoints": kept}
            beside.write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
