"""Checks for losses that compare the samples of a batch with each other."""

from __future__ import annotations

import numpy as np

from kcatalog.conformance import backend
from kcatalog.conformance.descent import two_replicas
from kcatalog.conformance.exercise import loss_gradient
from kcatalog.conformance.losses import usual_value, value_of
from kcatalog.conformance.subject import BATCH, Subject, close, require
from kcatalog.conformance.suite import check


@check("losses", tag="in-batch")
def batch_matters(s: Subject):
    """A loss that claims to compare samples gives other values in another batch."""
    y_true, y_pred = s.targets_and_predictions()
    alone = value_of(s.make(reduction=None), y_true[:2], y_pred[:2])
    each = usual_value(s, reduction=None)
    require(not np.allclose(alone, each[:2]), "values do not depend on the batch")


@check("losses", tag="in-batch", when=lambda s: backend.NAME == "tensorflow", slow=True)
def two_replicas_equal_one(s: Subject):
    """Under MirroredStrategy two replicas give the loss and the gradient of the whole batch."""
    import tensorflow as tf

    y_true, y_pred = s.targets_and_predictions()
    loss = s.make()
    whole, (expected,) = backend.value_and_gradients(lambda p: loss(y_true, p), [y_pred])
    half = BATCH // 2

    def step(replica):
        own = slice(int(replica) * half, int(replica) * half + half)
        p = tf.constant(y_pred[own])
        with tf.GradientTape() as tape:
            tape.watch(p)
            value = loss(tf.constant(y_true[own]), p)  # Keras divides by the replicas
        return value, tape.gradient(value, p)

    strategy = two_replicas()
    replicas = strategy.experimental_distribute_values_from_function(
        lambda context: context.replica_id_in_sync_group
    )
    value, gradient = strategy.run(step, (replicas,))
    close(sum(strategy.experimental_local_results(value)), whole, "the loss")
    rows = np.concatenate([g.numpy() for g in strategy.experimental_local_results(gradient)])
    close(rows, expected, "the gradient")


def _compares_embeddings(s: Subject) -> bool:
    claims = {"in-batch", "integer-labels", "embeddings"} <= set(s.tags)
    return claims and len(s.card.example.shape) == 1


@check("losses", when=_compares_embeddings)
def nothing_to_compare_is_zero(s: Subject):
    """A batch of one sample has no pair: the loss is 0, and so is its gradient."""
    y_true, y_pred = s.targets_and_predictions()
    loss = s.make()
    value, (gradient,) = loss_gradient(loss, y_true[:1], y_pred[:1])
    require(value == 0, f"the loss of a batch of one is {value:.3g}, not 0")
    require(not np.any(gradient), "a batch of one has a gradient")
