import copy
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.callbacks import GradientFlow


def reference(x, y, w1, b1, w2, b2):
    """The gradient norms of `mean((tanh(x W1 + b1) W2 + b2 - y)²)` by the chain rule."""
    h = np.tanh(x @ w1 + b1)
    error = 2 * (h @ w2 + b2 - y) / y.size
    back = (error @ w2.T) * (1 - h**2)
    first = np.sum((x.T @ back) ** 2) + np.sum(back.sum(0) ** 2)
    second = np.sum((h.T @ error) ** 2) + np.sum(error.sum(0) ** 2)
    return {"first": np.sqrt(first), "second": np.sqrt(second)}


def make(optimizer=None, **compile_args):
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, "tanh", name="first"),
            keras.layers.Dense(2, name="second"),
        ]
    )
    model.compile(optimizer or keras.optimizers.SGD(0.1), "mse", **compile_args)
    return model


@pytest.fixture
def data(rng):
    return rng.normal(size=(24, 3)).astype("float32"), rng.normal(size=(24, 2)).astype("float32")


def weights(model):
    return [ops.convert_to_numpy(v.value) for v in model.trainable_variables]


@pytest.mark.parametrize(("every_steps", "run_eagerly"), [(1, True), (3, False)])
def test_reference(data, every_steps, run_eagerly):
    x, y = data
    probe = x[:5], y[:5]
    model, flow = make(run_eagerly=run_eagerly), GradientFlow(probe, every_steps=every_steps)
    twin = make()
    twin.set_weights(model.get_weights())
    model.fit(x, y, batch_size=4, shuffle=False, verbose=0, callbacks=[flow])
    twin.fit(x[:20], y[:20], batch_size=4, shuffle=False, verbose=0)
    before = weights(twin)
    twin.fit(x[20:], y[20:], batch_size=4, shuffle=False, verbose=0)
    expected = reference(*probe, *weights(twin))
    assert flow.gradient_norms == pytest.approx(expected, rel=1e-4)
    moved = [np.sum((a - b) ** 2) for a, b in zip(weights(twin), before, strict=True)]
    expected = {"first": np.sqrt(moved[0] + moved[1]), "second": np.sqrt(moved[2] + moved[3])}
    assert flow.update_norms == pytest.approx(expected, rel=1e-3)


def test_loss_scale_is_taken_out_and_regularization_counted():
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, kernel_regularizer=keras.regularizers.L2(0.5))]
    )
    model.compile(keras.optimizers.SGD(0.0, loss_scale_factor=512.0), "mse")
    zeros = np.zeros((4, 3), "float32"), np.zeros((4, 2), "float32")
    flow = GradientFlow(zeros, every_steps=1)
    model.fit(*zeros, verbose=0, callbacks=[flow])
    (norm,) = flow.gradient_norms.values()
    assert norm == pytest.approx(np.linalg.norm(weights(model)[0]), rel=1e-5)


def test_vanishing_and_exploding_warn_once(data):
    x, y = data
    model = make()
    model.layers[0].set_weights([np.full((3, 4), 50.0), np.full(4, 50.0)])  # saturated
    probe = np.ones((4, 3), "float32"), y[:4]
    flow = GradientFlow(probe, every_steps=1, exploding=1e-3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, y, batch_size=4, verbose=0, callbacks=[flow])
    messages = sorted(str(w.message) for w in caught if "GradientFlow" in str(w.message))
    assert len(messages) == 2
    assert "'first' vanishes at step 1" in messages[0]
    assert "'second' explodes at step 1" in messages[1]


def test_events_and_deepcopy(data, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    x, y = data
    flow = copy.deepcopy(GradientFlow((x[:4], y[:4]), log_dir=Path(tmp_path), every_steps=2))
    make().fit(x, y, batch_size=4, verbose=0, callbacks=[flow])
    copy.deepcopy(flow)
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0})
    events.Reload()
    tags = {"gradient_norm/first", "gradient_norm/second", "update_norm/first"}
    assert tags <= set(events.Tags()["tensors"])
    assert [e.step for e in events.Tensors("gradient_norm/first")] == [2, 4, 6]


@pytest.mark.slow
def test_dropout_and_batch_normalization_are_left_alone(data):
    x, y = data
    finals = []
    for callbacks in ([], [GradientFlow((x[:4], y[:4]), every_steps=1)]):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((3,)),
                keras.layers.Dense(4),
                keras.layers.BatchNormalization(),
                keras.layers.Dropout(0.5),
                keras.layers.Dense(2),
            ]
        )
        model.compile("sgd", "mse")
        model.fit(x, y, batch_size=4, shuffle=False, verbose=0, callbacks=callbacks)
        finals.append([ops.convert_to_numpy(v.value) for v in model.weights])
    for a, b in zip(*finals, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("probe", [3, np.zeros((4, 3)), "abc", (), (None, [1.0])])
def test_a_probe_that_is_no_batch_is_named(probe):
    with pytest.raises(ValueError, match=r"GradientFlow: `probe` must be \(x, y\)"):
        GradientFlow(probe)


def test_weights_made_in_the_first_step_have_an_update_from_the_second_on(data):
    x, y = data
    model = keras.Sequential([keras.layers.Dense(2, name="first")])
    model.compile("sgd", "mse")
    seen = []

    class Note(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((flow.gradient_norms, flow.update_norms))

    flow = GradientFlow((x, y), every_steps=1)
    model.fit(x, y, batch_size=12, verbose=0, callbacks=[flow, Note()])
    (first, no_update), (_, update) = seen
    assert first.keys() == {"first"}
    assert no_update == {} or keras.backend.backend() != "tensorflow"  # others build before
    assert update["first"] > 0


class AddsItsLoss(keras.layers.Layer):
    def call(self, x):
        self.add_loss(ops.mean(ops.square(x)))
        return x


def test_a_loss_that_a_layer_adds_needs_no_targets(data):
    x, _ = data
    inputs = keras.Input((3,))
    line = keras.layers.Dense(2, use_bias=False, name="line")
    model = keras.Model(inputs, AddsItsLoss()(line(inputs)))
    model.compile(keras.optimizers.SGD(0.0))
    flow = GradientFlow((x,), every_steps=1)
    model.fit(x, verbose=0, callbacks=[flow])
    kernel = weights(model)[0]
    expected = np.linalg.norm(x.T @ (2 * x @ kernel) / (len(x) * 2))
    assert flow.gradient_norms["line"] == pytest.approx(expected, rel=1e-4)
