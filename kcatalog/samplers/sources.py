"""Sources of a sampler: arrays, image files in folders, `tf.data` datasets."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from kcatalog import checks
from kcatalog.on_disk import OnDisk
from kcatalog.types import Tensor

SUFFIXES = (".png", ".jpg", ".jpeg")


def labels(owner: object, y: Tensor) -> np.ndarray:
    """Labels as an array, one for each sample, none of them missing."""
    y = np.asarray(y)
    if y.shape[1:] not in ((), (1,)) or not y.ndim or y.dtype.kind == "O":
        rule, fix = "labels of shape (samples,) or (samples, 1)", ""
        if y.ndim == 2 and y.dtype.kind != "O":
            fix = "For one-hot rows: y.argmax(axis=1)."
        raise checks.error(owner, "y", rule, y.shape, fix)
    missing = np.flatnonzero(~np.isfinite(y)) if y.dtype.kind == "f" else []
    if len(missing):
        rule = "labels, none of them missing"
        raise checks.error(owner, "y", rule, float(y.flat[missing[0]]), f"At {missing[0]}.")
    return y


def samples(owner: object, x: Any, count: int) -> Any:
    """Arrays with `count` rows, in a dict or a tuple where the model has several inputs."""

    x = np.asarray(x) if isinstance(x, list) else x
    x = keras.tree.map_structure(lambda a: a if isinstance(a, OnDisk) else np.asarray(a), x)
    for a in keras.tree.flatten(x):
        if getattr(a, "dtype", "") == "object" or not getattr(a, "ndim", 1):
            raise checks.error(owner, "x", "an array, or a dict or tuple of arrays", a)
        if len(a) != count:
            raise checks.error(owner, "x", f"as long as `y`, {count} samples", len(a))
    return x


def by_class(owner: object, y: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the classes, and for each the positions of its samples."""
    values, classes, counts = np.unique(y.ravel(), return_inverse=True, return_counts=True)
    if (counts < 2).any():
        rule, lonely = "labels with at least two samples of each class", int(counts.argmin())
        fix = "Leave such classes out; a sample alone has nobody to be compared with."
        received = f"{counts[lonely]} of class {values[lonely]}"
        raise checks.error(owner, "y", rule, received, fix)
    order = np.argsort(classes, kind="stable")
    return values, np.split(order, np.cumsum(counts)[:-1])


class ImageFiles(OnDisk):
    """Images that are read when they are asked for: `files[indices]` is a batch of them."""

    def __init__(self, files: list[Path], image_size: tuple[int, int], color_mode: str):
        self.files, self.image_size, self.color_mode = files, image_size, color_mode

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        return np.stack([self._read(self.files[i]) for i in indices])

    def _read(self, file: Path) -> np.ndarray:
        how = {"color_mode": self.color_mode, "target_size": self.image_size}
        try:
            image = keras.utils.load_img(file, interpolation="bilinear", **how)
        except (OSError, ValueError, SyntaxError) as e:
            raise ValueError(
                f"MPerClass: {file} must be an image. Received: {e}. Repair or remove it."
            ) from e
        return keras.utils.img_to_array(image, data_format="channels_last", dtype="float32")


def labelled_files(
    owner: str, directory: str | Path
) -> tuple[list[Path], np.ndarray, tuple[str, ...]]:
    """List the images below each subfolder in a fixed order, their labels, and the classes."""
    root = Path(directory)
    if not root.is_dir():
        rule = "a folder with one subfolder of images per class"
        raise checks.error(owner, "directory", rule, str(directory))
    names = tuple(sorted(d.name for d in root.iterdir() if d.is_dir() and d.name[0] != "."))
    files, labels = [], []
    for label, name in enumerate(names):
        files_below = (f for f in (root / name).rglob("*") if f.name[0] != ".")
        found = sorted(f for f in files_below if f.suffix.lower() in SUFFIXES)
        files += found
        labels += [label] * len(found)
        if len(found) < 2:
            rule = f"a folder whose subfolders hold two images ({' '.join(SUFFIXES)}) at least"
            fix = f"Add images to {name!r}, or remove it."
            raise checks.error(owner, "directory", rule, f"{root / name}: {len(found)}", fix)
    return files, np.array(labels, "int32"), names


def indexed(owner: str, dataset: Any, labels: Tensor) -> tuple[Any, Any]:
    """Return a dataset whose samples can be fetched by their place, and all labels in order.

    Where TensorFlow cannot fetch by place, the dataset is cached in memory.
    """
    import tensorflow as tf

    rule = "a finite, unbatched tf.data.Dataset of (x, y)"
    spec = getattr(dataset, "element_spec", None)
    if not isinstance(spec, tuple) or len(spec) < 2 or len(getattr(spec[1], "shape", [0] * 9)) > 1:
        raise checks.error(owner, "dataset", rule, spec, "For example: dataset.unbatch().")
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise checks.error(owner, "dataset", rule, "an endless one", "Leave out repeat().")
    try:
        tf.data.experimental.at(dataset, 0)
    except tf.errors.UnimplementedError:
        dataset = dataset.cache()
    except (tf.errors.OutOfRangeError, tf.errors.InvalidArgumentError) as e:
        raise checks.error(owner, "dataset", rule, "an empty one") from e
    if labels is None:
        labels = np.array([y.numpy() for _, y, *_ in dataset])
    return dataset, labels


def fetch(dataset: Any, labels: np.ndarray, batches: Any, size: int) -> Any:
    """Return the `tf.data.Dataset` of the samples whose places the function `batches()` yields."""
    import tensorflow as tf

    labels = tf.constant(labels)

    def sample(place):
        element = tf.data.experimental.at(dataset, place)
        same = tf.reduce_all(tf.reshape(element[1], []) == tf.cast(labels[place], element[1].dtype))
        message = "MPerClass: `dataset` must give its samples in the same order every time."
        with tf.control_dependencies([tf.debugging.Assert(same, [message])]):
            return tf.nest.map_structure(tf.identity, element)

    places = tf.data.Dataset.from_generator(
        batches, output_signature=tf.TensorSpec((size,), "int64")
    )
    samples = places.unbatch().map(sample, num_parallel_calls=tf.data.AUTOTUNE)
    return samples.batch(size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)
