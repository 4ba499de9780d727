"""Segmentation: one class per pixel."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcatalog.recipe.tasks.classification import Classes


class Segmentation(Classes):
    """One class per pixel; models end in logits (batch, height, width, classes)."""

    name, measure, better = "segmentation", "mean IoU", "higher"
    objective = ("val_mean_iou", "max")
    pictures = ("masks",)

    def score(self, labels: Any, outputs: Any) -> float:
        return mean_iou(confusion(labels, self.predicted(outputs), outputs.shape[-1]))

    def further(self, data: Any, outputs: Any):
        counts = confusion(data.test[1], self.predicted(outputs), len(data.classes))
        by_class = dict(zip(data.classes, class_iou(counts), strict=True))
        return {
            "accuracy of pixels": float(np.trace(counts) / counts.sum()),
            **{f"IoU of {name}": float(iou) for name, iou in by_class.items() if np.isfinite(iou)},
        }

    def signatures(self, served: Any, info):
        """Return the default and `serving_bytes` for images, both with the mask."""
        import tensorflow as tf

        def serve(x):
            answers = served.answer(x)
            return {**answers, "mask": tf.argmax(answers["scores"], axis=-1, output_type=tf.int32)}

        return {"serving_default": served.of_raw(serve), "serving_bytes": served.of_images(serve)}

    def describe(self, answer: Any, info):
        mask = answer["mask"]
        shares = np.bincount(np.ravel(mask), minlength=len(info.classes)) / mask.size
        named = dict(zip(info.classes, shares.tolist(), strict=True))
        return {"shares": named, "mask": mask.tolist()}

    def cells(self, described: Any):
        shares = (f"{name} {share:.1%}" for name, share in described["shares"].items())
        return {"shares of the pixels": ", ".join(shares)}


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count pixels by their true class (rows) and their predicted class (columns)."""
    pairs = np.ravel(labels).astype("int64") * classes + np.ravel(predicted)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def class_iou(counts: np.ndarray) -> np.ndarray:
    """Return each class's intersection over union; NaN where it occurs nowhere."""
    right = np.diag(counts).astype("float64")
    union = counts.sum(axis=0) + counts.sum(axis=1) - right
    return np.divide(right, union, out=np.full(len(counts), np.nan), where=union > 0)


def mean_iou(counts: np.ndarray) -> float:
    """Return the mean over classes of intersection over union.

    >>> mean_iou(np.array([[2, 1], [1, 0]]))
    0.25
    """
    return float(np.nanmean(class_iou(counts)))
