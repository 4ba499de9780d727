"""Checks for losses that compare the samples of a batch with each other."""

from __future__ import annotations

import numpy as np
from keras import ops

from kcatalog.conformance import backend
from kcatalog.conformance.descent import two_replicas
from kcatalog.conformance.exercise import loss_gradient
from kcatalog.conformance.losses import usual_value, value_of
from kcatalog.conformance.subject import BATCH, CheckError, Subject, close, require
from kcatalog.conformance.suite import check


@check("losses", tag="in-batch")
def batch_matters(s: Subject) -> None:
    """A loss that claims to compare samples gives other values in another batch."""
    y_true, y_pred = s.targets_and_predictions()
    alone = value_of(s.make(reduction=None), y_true[:2], y_pred[:2])
    each = usual_value(s, reduction=None)
    require(not np.allclose(alone, each[:2]), "values do not depend on the batch")


SHARDS = ((3, 3), (4, 2), (5, 1), (6, 0))  # even, uneven, a single row, none; of BATCH rows


@check("losses", tag="in-batch", when=lambda s: backend.NAME == "tensorflow", slow=True)
def two_replicas_equal_one(s: Subject) -> None:
    """Under MirroredStrategy replicas give the loss and the gradient of the whole batch.

    However its rows are shared out: evenly, unevenly, or so that a replica has one row, or none.
    """
    import tensorflow as tf

    y_true, y_pred = s.targets_and_predictions()
    w = np.linspace(0.5, 2.0, BATCH).astype("float32")
    loss, strategy = s.make(), two_replicas()
    whole, (expected,) = backend.value_and_gradients(lambda p: loss(y_true, p, w), [y_pred])

    def replica(start, stop):
        y, p, weights = (tf.constant(t)[start:stop] for t in (y_true, y_pred, w))
        with tf.GradientTape() as tape:
            tape.watch(p)
            value = loss(y, p, weights)  # Keras divides by the replicas
        return value, tape.gradient(value, p)

    @tf.function(autograph=False)
    def step(start, stop):
        return strategy.run(replica, (start, stop))

    def each(ends):
        ends = tf.constant(ends)
        return strategy.experimental_distribute_values_from_function(
            lambda context: ends[context.replica_id_in_sync_group]
        )

    for first, second in SHARDS:
        shards = f"shards of {first} and {second}"
        value, gradient = step(each([0, first]), each([first, first + second]))
        close(sum(strategy.experimental_local_results(value)), whole, f"the loss, {shards}")
        rows = [g.numpy() for g in strategy.experimental_local_results(gradient)]
        close(np.concatenate(rows), expected, f"the gradient, {shards}")


def _compares_embeddings(s: Subject) -> bool:
    claims = {"in-batch", "integer-labels", "embeddings"} <= set(s.tags)
    return claims and len(s.card.example.shape) == 1


@check("losses", when=_compares_embeddings)
def nothing_to_compare_is_zero(s: Subject) -> None:
    """A batch of one sample has no pair: the loss is 0, and so is its gradient."""
    y_true, y_pred = s.targets_and_predictions()
    loss = s.make()
    value, (gradient,) = loss_gradient(loss, y_true[:1], y_pred[:1])
    require(value == 0, f"the loss of a batch of one is {value:.3g}, not 0")
    require(not np.any(gradient), "a batch of one has a gradient")


@check("losses", when=_compares_embeddings)
def large_labels_stay_apart(s: Subject) -> None:
    """Labels are equal where they are as given, though float32 or int32 could not tell them."""
    y_true, y_pred = s.targets_and_predictions()
    far = 0 if backend.NAME == "jax" else 2**32  # JAX has 32 bits
    large = 2**24 + np.array([0, 1, far or 2])[y_true]
    require(s.card.example.classes == 3, "the card's example must have classes=3")
    y_true = ops.convert_to_tensor(large if far else large.astype("int32"))
    close(value_of(s.make(), y_true, y_pred), usual_value(s), "labels from 2 ** 24 on")


@check("losses", when=_compares_embeddings)
def what_is_no_batch_is_refused(s: Subject) -> None:
    """Labels that are not one a sample, and predictions of another rank, raise by their name."""
    y_true, y_pred = s.targets_and_predictions()
    loss = s.make()
    wrong = {
        "y_true": (
            (np.eye(3, dtype="float32")[y_true], y_pred),
            (y_true[:-1], y_pred),
            (y_true.astype(str), y_pred),
        ),
        "y_pred": ((y_true, y_pred[..., None, None]),),
    }
    for name, cases in wrong.items():
        for y, p in cases:
            try:
                loss(y, p)
            except ValueError as e:
                require(f"{s.name}: `{name}` must be" in str(e), f"the error does not help: {e}")
            else:
                given = f"{y.dtype} labels {y.shape}, predictions {p.shape}"
                raise CheckError(f"{given} are taken for a batch")
