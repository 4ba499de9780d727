import contextlib

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers, losses, registry
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


@each_loss
def test_a_nan_makes_every_value_and_gradient_nan(cls):
    """Each sample is compared with the one that is NaN, whatever the comparison makes of it."""
    subject = Subject.of(cls)
    y_true, y_pred = subject.targets_and_predictions()
    y_pred[1].flat[0] = np.nan
    loss = subject.make(reduction=None)

    y_true = ops.convert_to_tensor(y_true)
    assert np.isnan(as_numpy(loss(y_true, ops.convert_to_tensor(y_pred)))).all()
    _, (gradient,) = value_and_gradients(lambda p: ops.sum(loss(y_true, p)), [y_pred])
    assert np.isnan(gradient).all()


def test_labels_are_equal_where_they_are_as_given(rng):
    x = rng.normal(size=(6, 3)).astype("float32")
    y = np.array([0, 1, 2, 0, 1, 2])
    far = np.array([2**53, 2**53 + 1, 5])[y]
    expected = as_numpy(losses.TripletSemiHard()(y, x))
    for labels in (far, far.astype("uint64") + 2**63, far.tolist(), y > 9, y.astype("float64")):
        value = as_numpy(losses.TripletSemiHard(dtype="float32")(labels, x))
        same = as_numpy(losses.TripletSemiHard()(np.unique(labels, return_inverse=True)[1], x))
        np.testing.assert_allclose(value, same, rtol=1e-6)
    np.testing.assert_allclose(as_numpy(losses.TripletSemiHard()(far, x)), expected, rtol=1e-6)


def test_many_labels_in_half_precision(rng):
    """bfloat16 holds no whole number above 256; labels are not cast to it."""
    y = np.arange(600) // 2
    x = (np.arange(600) // 2)[:, None] + rng.uniform(0, 0.25, (600, 1))
    loss = losses.TripletHard(margin=0.5, dtype="bfloat16")
    assert float(as_numpy(loss(y, (x % 64).astype("float32")))) < 100
    same = np.array([300, 301])
    assert float(as_numpy(losses.TripletHard(dtype="bfloat16")(same, np.ones((2, 1))))) == 0


@pytest.mark.slow
@pytest.mark.tensorflow
def test_what_is_no_batch_is_refused_while_a_step_is_traced():
    import tensorflow as tf

    def trace(loss, y_shape, p_shape, y_dtype="int32"):
        shapes = tf.TensorSpec(y_shape, y_dtype), tf.TensorSpec(p_shape, "float32")
        tf.function(loss).get_concrete_function(*shapes)

    loss = losses.TripletHard()
    trace(loss, (None,), (None, 4))
    for shapes in (((None, 3), (None, 4)), ((5,), (6, 4)), ((None,), (None, 4), "string")):
        with pytest.raises(ValueError, match="TripletHard: `y_true` must be"):
            trace(loss, *shapes)
    with pytest.raises(ValueError, match=r"TripletHard: `y_pred` must be embeddings \(batch, fea"):
        trace(loss, (None,), (None, 7, 4))


# --- replicas ---------------------------------------------------------------------------

MECHANISMS = {
    "distances": losses.TripletHard(margin=0.7),
    "views": losses.BarlowTwins(),
    "ids": losses.MultipleNegativesRanking(0.5, ids=True),
    "ranks": losses.CORN(),
    "memory": None,
}


def trained(name, strategy, x, y, sample_weight):
    """The weights and the reported loss of an epoch."""
    keras.utils.set_random_seed(1)
    with strategy.scope() if strategy else contextlib.nullcontext():
        inputs = keras.Input(x.shape[1:])
        outputs = keras.layers.Dense(4)(inputs)
        if name in ("views", "ids"):
            outputs = ops.stack([outputs, keras.layers.Dense(4)(inputs)], axis=1)
        data, loss = {"x": x, "y": y, "sample_weight": sample_weight}, MECHANISMS[name]
        if name == "memory":
            labels = keras.Input((), dtype="int64")
            memory = layers.CrossBatchMemory(losses.TripletHard(margin=0.7), capacity=6)
            inputs, outputs, data = [inputs, labels], memory(outputs, labels), {"x": [x, y]}
        model = keras.Model(inputs, outputs)
        model.compile(keras.optimizers.SGD(0.05), loss, jit_compile=False)
    history = model.fit(**data, batch_size=4, shuffle=False, verbose=0).history
    return [as_numpy(w) for w in model.weights], history["loss"][0]


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("name", MECHANISMS)
def test_nine_samples_in_batches_of_four_are_those_of_one_device(name, rng):
    """The last batch leaves one replica a single row, and the other none."""
    from kcatalog.conformance.descent import two_replicas

    data = rng.normal(size=(9, 5)).astype("float32"), np.arange(9) // 2 % 4
    data = *data, rng.uniform(0.5, 2, 9).astype("float32")
    two, one = (trained(name, strategy, *data) for strategy in (two_replicas(), None))
    for mirrored, alone in zip(two[0], one[0], strict=True):
        np.testing.assert_allclose(mirrored, alone, rtol=1e-4, atol=1e-6)
    if name != "memory":  # Keras adds another replica's `add_loss` to the loss it reports
        np.testing.assert_allclose(two[1], one[1], rtol=1e-5)


def on_two_replicas(step, *rows):
    """`step` of the rows of each replica: a list for each of its results, compiled."""
    import tensorflow as tf

    from kcatalog.conformance.descent import two_replicas

    strategy = two_replicas()
    each = [
        strategy.experimental_distribute_values_from_function(
            lambda context, r=r: tf.constant(r[context.replica_id_in_sync_group])
        )
        for r in rows
    ]
    results = tf.function(lambda *each: strategy.run(step, each))(*each)
    return [[t.numpy() for t in strategy.experimental_local_results(r)] for r in results]


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["distances", "views"])
def test_a_nan_on_one_replica_is_a_nan_on_the_other(name, rng):
    import tensorflow as tf

    loss = MECHANISMS[name]
    x = rng.normal(size=(6, 2, 4) if name == "views" else (6, 4)).astype("float32")
    x[5] = np.nan

    def step(y, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(y, x)
        return value, tape.gradient(value, x)

    y = np.arange(6) // 2
    values, gradients = on_two_replicas(step, [y[:2], y[2:]], [x[:2], x[2:]])
    assert np.isnan(values).all()
    assert all(np.isnan(g).all() for g in gradients)


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("reduction", ["sum", "mean_with_sample_weight", "sum_over_batch_size"])
def test_every_reduction_adds_up_over_uneven_replicas(reduction, rng):
    x, y = rng.normal(size=(6, 3)).astype("float32"), np.array([5, 2**40, 5, 2**40, 7, 5])
    w = rng.uniform(0.5, 2, 6).astype("float32")
    loss = losses.InBatchContrastive(reduction=reduction)
    expected = as_numpy(loss(y, x, w))
    parts = [[t[:5], t[5:]] for t in (y, x, w)]
    (values,) = on_two_replicas(lambda y, x, w: (loss(y, x, w),), *parts)
    np.testing.assert_allclose(sum(values), expected, rtol=1e-5)
