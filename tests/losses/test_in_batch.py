import numpy as np
import pytest
from keras import ops

from kcatalog import registry
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from kcatalog.conformance.subject import BATCH, Subject
from kcatalog.losses.in_batch import InBatchLoss

LOSSES = [e.load() for e in registry.find(kind="losses", origin="kcatalog")]
IN_BATCH = [cls for cls in LOSSES if issubclass(cls, InBatchLoss)]

each_loss = pytest.mark.parametrize("cls", IN_BATCH, ids=lambda cls: cls.__name__)


def compared(loss, y_true, y_pred, first=0, anchors=None):
    """Sums and numbers of terms as the replica sees them whose rows begin at `first`."""
    every = loss.samples(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred))
    S, N = loss.compare(*(ops.roll(t, -first, axis=0) for t in every), anchors=anchors)
    assert S.shape == N.shape == (anchors or BATCH,)
    return S, N


@each_loss
def test_two_replicas_add_up_to_one_device(cls):
    """Each replica's anchors against all rows: the same terms, sums, gradients as at once."""
    subject = Subject.of(cls)
    loss, (y_true, y_pred) = subject.make(), subject.targets_and_predictions()
    half = BATCH // 2
    parts = [compared(loss, y_true, y_pred, first, half) for first in (0, half)]
    S, N = compared(loss, y_true, y_pred)
    for part, whole in ((0, S), (1, N)):
        rows = np.concatenate([as_numpy(p[part]) for p in parts])
        np.testing.assert_allclose(rows, as_numpy(whole), rtol=1e-4, atol=1e-5)

    def added_up(p):
        return sum(ops.sum(compared(loss, y_true, p, first, half)[0]) for first in (0, half))

    _, (gradient,) = value_and_gradients(added_up, [y_pred])
    at_once = value_and_gradients(lambda p: ops.sum(compared(loss, y_true, p)[0]), [y_pred])
    np.testing.assert_allclose(gradient, at_once[1][0], rtol=1e-3, atol=1e-5)


@each_loss
def test_terms_have_no_gradient_and_the_loss_is_their_mean(cls):
    subject = Subject.of(cls)
    loss, (y_true, y_pred) = subject.make(), subject.targets_and_predictions()
    S, N = (as_numpy(t).astype("float64") for t in compared(loss, y_true, y_pred))
    np.testing.assert_allclose(as_numpy(loss(y_true, y_pred)), S.sum() / max(N.sum(), 1), rtol=1e-4)
