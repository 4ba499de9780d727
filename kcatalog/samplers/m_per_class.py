from pathlib import Path
from typing import Any

import keras
import numpy as np

from kcatalog import checks
from kcatalog.card import Example, Int, Paper
from kcatalog.registry import component
from kcatalog.samplers import sources
from kcatalog.samplers.rounds import Rounds
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "In Defense of the Triplet Loss for Person Re-Identification",
        "Hermans, Beyer, Leibe",
        2017,
        "https://arxiv.org/abs/1703.07737",
        "section 2, PK batches",
    ),
    equation="batch = P classes × M samples of each, a function of (seed, epoch, step) alone",
    tags=("balanced", "sharded", "resumable"),
    space={"samples_per_class": Int(2, 16)},
    example=Example(
        {
            "x": [[0.1], [0.2], [0.3], [0.4], [0.5], [0.6], [0.7], [0.8], [0.9], [1.0], [1.1]],
            "y": [3, 3, 3, 3, 3, 5, 5, 8, 8, 8, 8],
            "classes_per_batch": 2,
            "samples_per_class": 3,
            "steps_per_epoch": 3,
        }
    ),
)
class MPerClass(keras.utils.PyDataset):
    """Balanced batches: M samples of each of P classes, to be given to `fit`.

    Losses that compare the samples of a batch (triplets, contrastive ones) learn from pairs of a
    class; batches drawn at random from many classes hold hardly any. Use it with those losses,
    or where rare classes should count as much as frequent ones. Not for evaluation, where each
    sample should count once.

    `MPerClass(x, y)` takes arrays; `from_directory` a folder of images, read batch by batch;
    `from_dataset` a `tf.data.Dataset`.

    Maths:
        Step `s` of epoch `e` is batch `b = e · steps_per_epoch + s`, made of `P` =
        `classes_per_batch` different classes and `M` = `samples_per_class` samples of each.
        Classes are shuffled and dealt out `P` at a time, each class's samples `M` at a time; those
        that such a lap has no place for take turns in sitting it out. So every class comes up
        equally often, within a class every sample does, and `b` and `seed` tell which.

    Args:
        x: Samples: an array, or a dict or tuple of arrays.
        y: Labels `(samples,)` or `(samples, 1)`, at least two samples of each class.
        classes_per_batch: `P`, an integer in [2, inf), at most the number of classes.
        samples_per_class: `M`, an integer in [2, inf).
        steps_per_epoch: An integer in [1, inf), or None for as many as make up the data.
        seed: Same seed, same batches, an integer in [0, inf).
        shard: Which part of every batch this one yields, an integer in [0, inf), below `shards`.
        shards: Among how many hosts a batch is shared, an integer in [1, inf) that divides
            `classes_per_batch`.
        initial_epoch: Epoch to begin with, as in `fit`, an integer in [0, inf).

    Shapes:
        `len(...)` batches `(x, y)` of `P · M / shards` samples each.

    Behaviour:
        The samples of a class stand together, so a device that takes a contiguous part of the
        batch gets whole classes. A shard is such a part: `P / shards` classes, `M` samples of
        each; hosts agree without talking. A class with fewer than `M` samples repeats them, as
        far as needed: none comes up twice more often than another. Each class counts the same,
        so a sample of a small class is seen more often. Any three laps of a class show all its
        samples. Give `fit` `shuffle=False`, or it shuffles the order of batches once more.
        `on_epoch_end` goes on to the next epoch. `fit` calls it before its first epoch too, so
        training begins with epoch `initial_epoch + 1`, resumed or not; `workers`, which are
        Keras's own, may put what they had fetched of epoch `initial_epoch` before that.

    Example:
        One frequent and two rare classes. In 18 batches each comes up 12 times with two samples;
        the frequent one's six samples share 24 places, the two of a rare class as many:

        >>> x, y = np.arange(10), np.array([0, 0, 0, 0, 0, 0, 1, 1, 2, 2])
        >>> batches = MPerClass(x, y, classes_per_batch=2, samples_per_class=2, steps_per_epoch=18)
        >>> np.bincount(np.concatenate([batches[step][0] for step in range(18)])).tolist()
        [4, 4, 4, 4, 4, 4, 12, 12, 12, 12]
    """

    def __init__(
        self,
        x: Tensor,
        y: Tensor,
        classes_per_batch: int = 8,
        samples_per_class: int = 4,
        steps_per_epoch: int | None = None,
        seed: int = 0,
        shard: int = 0,
        shards: int = 1,
        initial_epoch: int = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.y = sources.labels(self, y)
        self.x = sources.samples(self, x, len(self.y))
        P, M = classes_per_batch, samples_per_class
        self.classes_per_batch = checks.integer(self, "classes_per_batch", P, "[2, inf)")
        self.samples_per_class = checks.integer(self, "samples_per_class", M, "[2, inf)")
        self.steps_per_epoch = checks.integer(
            self, "steps_per_epoch", steps_per_epoch, "[1, inf)", optional=True
        )
        self.seed = checks.integer(self, "seed", seed, "[0, inf)")
        self.shard = checks.integer(self, "shard", shard, "[0, inf)")
        self.shards = checks.integer(self, "shards", shards, "[1, inf)")
        self.initial_epoch = checks.integer(self, "initial_epoch", initial_epoch, "[0, inf)")
        self.epoch = initial_epoch

        values, members = sources.by_class(self, self.y)
        if len(values) < P:
            rule = f"at most {len(values)}, the number of classes in `y`"
            raise checks.error(self, "classes_per_batch", rule, P)
        if P % shards:
            raise checks.error(self, "shards", f"a divisor of classes_per_batch={P}", shards)
        if shard >= shards:
            raise checks.error(self, "shard", f"below shards={shards}", shard, "Count from 0.")
        self._members, self._within = members, {}
        self._classes = Rounds(len(values), P, (seed, 0))
        self._steps = steps_per_epoch or max(1, len(self.y) // (P * M))

    @classmethod
    def from_directory(
        cls,
        directory: str | Path,
        image_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        **kwargs: Any,
    ) -> Any:
        """Batches of the `.png` and `.jpg` images in a folder with one subfolder per class.

        Images are read when their batch is, as float32 from 0 to 255. Labels count the subfolders
        in the order of their names, `class_names`.

        Args:
            directory: The folder.
            image_size: `(height, width)` to which images are resized.
            color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
            **kwargs: Arguments of `MPerClass` other than `x` and `y`; `workers` read in parallel.
        """
        files, labels, names = sources.labelled_files(cls.__name__, directory)
        checks.choice(cls.__name__, "color_mode", color_mode, ("rgb", "rgba", "grayscale"))
        batches = cls(sources.ImageFiles(files, image_size, color_mode), labels, **kwargs)
        batches.class_names = names
        return batches

    @classmethod
    def from_dataset(cls, dataset: Any, labels: Tensor | None = None, **kwargs: Any) -> Any:
        """Return a `tf.data.Dataset` of balanced batches of a dataset of `(x, y)` samples.

        It is endless: give `fit` `steps_per_epoch`. Samples are fetched by their place, so
        `dataset` must not be shuffled. Cost: one pass to learn the labels, unless given. What
        was made by `from_tensor_slices`, `map`, `zip` and the like reads a sample only when its
        batch comes; what TensorFlow cannot fetch so, such as TFRecord files, is held in memory
        as by `cache()`: where that is too large, balance file names and decode the batches.

        Args:
            dataset: Single samples `(x, y)` or `(x, y, sample_weight)`.
            labels: All of `y` in order, where that is known.
            **kwargs: Arguments of `MPerClass` other than `x` and `y`.
        """
        dataset, labels = sources.indexed(cls.__name__, dataset, labels)
        places = cls(np.arange(len(labels)), labels, **kwargs)

        def batches():
            number = places.initial_epoch * len(places)
            while True:
                yield places.indices(*divmod(number, len(places)))
                number += 1

        return sources.fetch(dataset, places.y, batches, len(places.indices(0, 0)))

    def indices(self, epoch: int, step: Tensor) -> np.ndarray:
        """Return the places in `x` and `y` of the samples of one batch: this shard's part of it."""
        b, part = epoch * len(self) + step, self.classes_per_batch // self.shards
        classes = self._classes[b]
        draws = self._classes.before(b, classes)
        mine = slice(self.shard * part, (self.shard + 1) * part)
        chosen = zip(classes[mine], draws[mine], strict=True)
        return np.concatenate([self._members[c][self._draw(c, draw)] for c, draw in chosen])

    def _draw(self, c, number):
        """Return the sample of class `c` for the `number`-th time that the class comes up."""
        n, m = len(self._members[c]), self.samples_per_class
        every = np.tile(np.arange(n), m // n)  # nothing where n > m
        if m % n == 0:
            return every
        if c not in self._within:
            self._within[c] = Rounds(n, m % n, (self.seed, 1, int(c)))
        return np.concatenate([every, self._within[c][number]])

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        checks.integer(self, "step", step, f"[0, {len(self)})")
        chosen = self.indices(self.epoch, step)
        return keras.tree.map_structure(lambda a: a[chosen], self.x), self.y[chosen]

    def on_epoch_end(self) -> None:
        self.epoch += 1
