"""The base of all losses: what is wrong with the input shows, weights and masks are Keras's."""

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import losses
from kcatalog.conformance import backend
from kcatalog.conformance.backend import as_numpy
from kcatalog.ops.masks import with_mask

NAN = float("nan")
Y, Z = np.array([[0, 1], [1, 1]]), np.array([[[2.0, 0], [0, 0]], [[1, 0], [3, 0]]], "float32")


def test_nan_is_no_finite_loss():
    x = np.eye(4, dtype="float32")
    x[0, 0] = NAN
    labels, box = [0, 0, 1, 1], np.array([[0.0, 0, 1, 1]])
    assert np.isnan(as_numpy(losses.TripletSemiHard()(labels, x)))
    assert np.isnan(as_numpy(losses.InBatchContrastive()(labels, x)))
    assert np.isnan(as_numpy(losses.GIoU()(box, np.array([[NAN, 0, 1, 1]]))))
    assert np.isnan(as_numpy(losses.GIoU()(np.array([[NAN, 0, 1, 1]]), box)))


def test_nan_of_a_masked_step_counts_for_nothing():
    z = Z.copy()
    z[0, 1] = NAN
    mask = np.array([[True, False], [True, True]])
    loss = losses.PolyCrossentropy(from_logits=True)
    left = as_numpy(loss(Y, with_mask(*map(ops.convert_to_tensor, (z, mask)))))
    each = as_numpy(losses.PolyCrossentropy(from_logits=True, reduction=None)(Y, Z))
    np.testing.assert_allclose(left, each[mask].mean(), rtol=1e-6)


def test_training_on_nan_stops():
    """`TerminateOnNaN` sees what a loss that compares would hide."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    model.compile("sgd", losses.TripletHard(), jit_compile=backend.JIT)
    model.set_weights([np.full(w.shape, NAN) for w in model.get_weights()])
    x, y = np.ones((4, 3), "float32"), np.array([0, 0, 1, 1])
    history = model.fit(x, y, callbacks=[keras.callbacks.TerminateOnNaN()], epochs=3, verbose=0)
    assert len(history.epoch) == 1
    assert np.isnan(history.history["loss"][0])


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_a_weight_is_of_its_sample(shape):
    loss = losses.PolyCrossentropy(from_logits=True, epsilon=0.0)
    weights = np.reshape([1.0, 0.0], shape)
    np.testing.assert_allclose(as_numpy(loss(Y, Z, sample_weight=weights)), 0.2050, atol=1e-4)


def test_weights_that_fit_nothing_are_refused():
    loss = losses.PolyCrossentropy(from_logits=True)
    for shape in ((3,), (2, 3), (2, 2, 2)):
        with pytest.raises(ValueError, match=r"PolyCrossentropy: `sample_weight` must be one num"):
            loss(Y, Z, sample_weight=np.ones(shape))


def test_weights_of_samples_in_fit():
    model = keras.Sequential([keras.Input((3, 4)), keras.layers.Dense(2)])
    loss = losses.PolyCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.0), loss, jit_compile=backend.JIT)
    x, y = np.random.default_rng(0).normal(size=(5, 3, 4)).astype("float32"), np.ones((5, 3), int)
    weights = np.array([1.0, 2.0, 0.0, 0.5, 3.0], "float32")
    each = as_numpy(losses.PolyCrossentropy(from_logits=True, reduction=None)(y, model(x)))
    found = model.fit(x, y, sample_weight=weights, batch_size=5, verbose=0).history["loss"][0]
    np.testing.assert_allclose(found, (each * weights[:, None]).mean(), rtol=1e-5)


@pytest.mark.parametrize("name", ["CORN", "WeightedKappa", "PolyCrossentropy"])
def test_padding_behind_an_embedding(name):
    """No loss changes with the labels of padded steps, one of batch statistics neither."""
    ids = np.array([[3, 1, 0, 0], [2, 4, 1, 0]])
    classes = 3
    model = keras.Sequential(
        [
            keras.layers.Embedding(5, 4, mask_zero=True),
            keras.layers.Dense(classes - (name == "CORN"), activation="softmax"),
        ]
    )
    y = np.array([[1, 0, 0, 0], [2, 1, 0, 0]])
    values = []
    for padding in (0, 2):
        labels = np.where(ids == 0, padding, y)
        values.append(as_numpy(getattr(losses, name)()(labels, model(ids))))
    np.testing.assert_allclose(*values, rtol=1e-6)


DISAGREE = {
    "swapped height and width": (
        losses.FocalTversky(),
        np.zeros((2, 6, 4), int),
        np.ones((2, 4, 6, 3)) / 3,
    ),
    "class indices for labels of each output": (
        losses.AsymmetricCrossentropy(from_logits=True),
        np.arange(6) % 4,
        np.zeros((6, 4)),
    ),
    "masks of 0 and 255": (
        losses.Jaccard(),
        np.full((2, 4, 4), 255, "uint8"),
        np.ones((2, 4, 4, 1)) / 2,
    ),
    "one-hot masks of 0 and 255": (
        losses.Jaccard(),
        np.full((2, 4, 4, 3), 255, "uint8"),
        np.ones((2, 4, 4, 3)) / 3,
    ),
    "channels first": (losses.Jaccard(), np.zeros((2, 4, 5), int), np.ones((2, 3, 4, 5)) / 3),
    "labels from 1": (losses.PolyCrossentropy(), np.array([1, 2, 3]), np.ones((3, 3)) / 3),
    "fractions as classes": (losses.PolyCrossentropy(), np.array([0.5, 1.0]), np.ones((2, 3)) / 3),
    "one-hot for a sparse loss": (
        losses.SparseCategoricalFocalCrossentropy(),
        np.eye(3),
        np.ones((3, 3)) / 3,
    ),
    "another number of boxes": (losses.DIoU(), np.ones((2, 3, 4)), np.ones((2, 2, 4))),
    "one target for many outputs": (losses.Pinball(), np.ones((4, 1)), np.ones((4, 3))),
    "strings": (losses.CrammerSingerHinge(), ["cat", "dog"], np.ones((2, 3))),
    "ragged rows": (losses.Ramp(), [[0, 1], [1]], np.ones((2, 2))),
    "a score without a batch": (losses.Ramp(), 1.0, np.array(1.0)),
}


@pytest.mark.parametrize("case", DISAGREE)
def test_what_disagrees_is_refused(case):
    loss, y_true, y_pred = DISAGREE[case]
    with pytest.raises(ValueError, match=rf"^{type(loss).__name__}: `y_(true|pred)` must be"):
        loss(y_true, y_pred)


@pytest.mark.skipif(not backend.COMPILES, reason="eager only")
@pytest.mark.parametrize("case", ["swapped height and width", "another number of boxes"])
def test_shapes_are_refused_while_a_step_is_traced(case):
    loss, *pair = DISAGREE[case]
    with pytest.raises(ValueError, match="must be"):
        backend.compiled(loss)(*map(ops.convert_to_tensor, pair))


@pytest.mark.tensorflow
def test_labels_from_1_stop_training_with_a_sentence():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    model.compile("sgd", losses.CrammerSingerHinge(), jit_compile=False)
    with pytest.raises(Exception, match=r"`y_true` must be class indices from 0 to 3"):
        model.fit(np.ones((4, 3), "float32"), np.array([1, 2, 3, 4]), verbose=0)


@pytest.mark.skipif(not backend.COMPILES, reason="eager only")
def test_a_label_that_is_no_class_is_nan_where_values_cannot_be_read():
    loss = losses.SparseCategoricalFocalCrossentropy(from_logits=True)
    step = backend.compiled(loss, xla=True)
    z = ops.convert_to_tensor([[1.0, 2.0, 3.0]])
    assert np.isnan(as_numpy(step(ops.convert_to_tensor([-1]), z)))
    assert np.isfinite(as_numpy(step(ops.convert_to_tensor([2]), z)))


@pytest.mark.parametrize(
    "name", ["FocalTversky", "GeneralizedDice", "Jaccard", "LovaszSoftmax", "LovaszHinge"]
)
@pytest.mark.parametrize("settings", [{}, {"reduction": "sum"}])
def test_void_pixels(name, settings, rng):
    """The loss with void pixels is that of the valid ones, and as with weights of 0 and 1."""
    Loss, binary = getattr(losses, name), name == "LovaszHinge"
    p = rng.uniform(0.1, 1, (3, 4, 5) if binary else (3, 4, 5, 3)).astype("float32")
    p = p - 0.5 if binary else p / p.sum(-1, keepdims=True)
    y = rng.integers(0, 2 if binary else 3, (3, 4, 5))
    void = y.copy()
    void[:, :, 3:] = 255
    valid = as_numpy(Loss(**settings)(y[:, :, :3], p[:, :, :3]))
    np.testing.assert_allclose(
        as_numpy(Loss(ignore_class=255, **settings)(void, p)), valid, rtol=1e-5
    )
    weights = (void < 255).astype("float32")
    np.testing.assert_allclose(
        as_numpy(Loss(**settings)(y, p, sample_weight=weights)), valid, rtol=1e-5
    )


@pytest.mark.parametrize("name", ["FocalTversky", "GeneralizedDice", "Jaccard", "LovaszSoftmax"])
def test_a_pixel_of_weight_2_is_two_pixels(name, rng):
    Loss = getattr(losses, name)
    p = rng.dirichlet(np.ones(3), (2, 4)).astype("float32")
    y, weights = rng.integers(0, 3, (2, 4)), np.tile([1, 2, 1, 3], (2, 1))
    repeated = [np.repeat(x, weights[0], axis=1) for x in (y, p)]
    found = as_numpy(Loss()(y, p, sample_weight=weights.astype("float32")))
    np.testing.assert_allclose(found, as_numpy(Loss()(*repeated)), rtol=1e-5)


def test_an_image_of_void_pixels_is_left_out_of_the_mean():
    p = np.full((2, 4, 2), 0.5, "float32")
    y = np.array([[0, 1, 1, 0], [255] * 4])
    one = as_numpy(losses.Jaccard()(y[:1], p[:1]))
    np.testing.assert_allclose(as_numpy(losses.Jaccard(ignore_class=255)(y, p)), one, rtol=1e-6)


def test_a_batch_without_samples_is_zero():
    y, p = np.zeros((0,), "int32"), np.ones((0, 3), "float32")
    assert as_numpy(losses.PolyCrossentropy()(y, p)) == 0


def test_nested_lists():
    assert as_numpy(losses.Ramp()([[0], [1]], [[1.0], [-1.0]])) == 2.0
    assert as_numpy(losses.MarginRanking()([1], [[1.0, 3.0]])) == 3.0
    assert as_numpy(losses.TripletMargin()([0], [[[0.0], [3.0], [1.0]]])) == 3.0
