"""Precision-recall curves, one class against the others, for TensorBoard's PR Curves tab."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MOST_CLASSES = 32


def write(labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], step: int) -> None:
    """Write the curve of each class that occurs, at most 32, to the current writer."""
    import tensorflow as tf
    from tensorboard.plugins.pr_curve import summary

    frequency = np.bincount(labels, minlength=len(classes))
    for i in np.argsort(-frequency, kind="stable")[:MOST_CLASSES]:
        if frequency[i]:  # recall is undefined without positives
            curve = summary.pb(
                f"precision-recall/{i} {classes[i]}", labels == i, probabilities[:, i]
            )
            tf.summary.experimental.write_raw_pb(curve.SerializeToString(), step)
