import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.callbacks import SwapAveragedWeights, averaged_weights
from kcatalog.optimizers import Lookahead, ScheduleFree, StochasticWeightAveraging

SGD = keras.optimizers.SGD
OPTIMIZERS = {
    "StochasticWeightAveraging": lambda: StochasticWeightAveraging(SGD(0.1), 1, 1),
    "ScheduleFree": lambda: ScheduleFree(SGD(0.1), beta=0.5),
    "Lookahead": lambda: Lookahead(SGD(0.1), sync_period=3),
    "use_ema": lambda: SGD(0.1, use_ema=True, ema_momentum=0.5),
    "inside": lambda: Lookahead(StochasticWeightAveraging(SGD(0.1), 1, 1), sync_period=50),
    "scaled": lambda: SGD(0.1, use_ema=True, ema_momentum=0.5, loss_scale_factor=8.0),
    "SGD": lambda: SGD(0.1),
}


def make(optimizer):
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")]
    )
    model.compile(optimizer, "mse", run_eagerly=True)
    return model


def kernel(model):
    return float(ops.convert_to_numpy(model.trainable_variables[0])[0, 0])


def reference(name, steps):
    """The weights of `(w - 1)²` from 0 after each step: of training, and as evaluation sees them.

    One number, by the rules of the optimizers in `OPTIMIZERS`.
    """
    w = z = x = slow = 0.0
    taken, average, pairs = [], None, []
    for t in range(1, steps + 1):
        step = -0.1 * 2 * (w - 1)
        if name == "ScheduleFree":
            z += step
            x += (z - x) / t
            w = 0.5 * z + 0.5 * x
            seen = x
        else:
            w += step
            taken.append(w)
            average = w if average is None else 0.5 * average + 0.5 * w
            if name == "Lookahead" and t % 3 == 0:
                w = slow = slow + 0.5 * (w - slow)
            seen = {
                "StochasticWeightAveraging": np.mean(taken),
                "use_ema": average,
                "scaled": average,
                "Lookahead": slow,
                "inside": 0.0,  # the slow weights of the wrapper outside
            }.get(name, w)
        pairs.append((w, seen))
    return pairs


class Records(keras.callbacks.Callback):
    """Keeps the weight at the hooks of an epoch."""

    def __init__(self):
        super().__init__()
        self.at = {"train": [], "test": [], "epoch": []}

    def on_train_batch_end(self, batch, logs=None):
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        self.at["train"].append(kernel(self.model))

    def on_test_begin(self, logs=None):
        self.at["test"].append(kernel(self.model))

    def on_epoch_end(self, epoch, logs=None):
        self.at["epoch"].append(kernel(self.model))


ONE = np.ones((1, 1), "float32")
DATA = {"x": ONE, "y": ONE, "validation_data": (ONE, ONE), "verbose": 0}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_reference(name):
    expected = reference(name, 5)
    model, outside, inside = make(OPTIMIZERS[name]()), Records(), Records()
    swap = SwapAveragedWeights([inside])
    history = model.fit(**DATA, epochs=5, callbacks=[outside, swap]).history
    np.testing.assert_allclose(outside.at["train"], [w for w, _ in expected], rtol=1e-5)
    np.testing.assert_allclose(outside.at["epoch"], [w for w, _ in expected], rtol=1e-5)
    seen = [s for _, s in expected]
    np.testing.assert_allclose(outside.at["test"], seen, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(inside.at["epoch"], seen, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(history["val_loss"], [(s - 1) ** 2 for s in seen], 1e-4, 1e-6)
    assert "evaluate" not in vars(model)


class Breaks(keras.callbacks.Callback):
    """Raises at one hook."""

    def __init__(self, hook):
        super().__init__()
        setattr(self, hook, self.fail)

    def fail(self, *args, **kwargs):
        raise KeyboardInterrupt


@pytest.mark.parametrize("hook", ["on_test_begin", "on_test_batch_end", "on_epoch_end"])
def test_an_interrupt_leaves_the_weights_of_training_in(hook):
    (w, _), *_ = reference("use_ema", 1)
    model, broken = make(Lookahead(SGD(0.1), sync_period=5)), Breaks(hook)
    inside = hook == "on_epoch_end"
    swap = SwapAveragedWeights([broken] if inside else [])
    with pytest.raises(KeyboardInterrupt):
        model.fit(**DATA, callbacks=[swap] if inside else [swap, broken])
    assert kernel(model) == pytest.approx(w, rel=1e-5)
    assert model.evaluate(ONE, ONE, verbose=0) == pytest.approx((w - 1) ** 2, rel=1e-4)
    model.fit(**DATA, callbacks=[SwapAveragedWeights()])
    assert "evaluate" not in vars(model)


def test_checkpoints_and_early_stopping_hold_averages(tmp_path):
    expected = reference("Lookahead", 2)
    model = make(OPTIMIZERS["Lookahead"]())
    file = tmp_path / "{epoch}.weights.h5"
    saving = keras.callbacks.ModelCheckpoint(str(file), save_weights_only=True)
    model.fit(**DATA, epochs=2, callbacks=[SwapAveragedWeights([saving])])
    again = make(OPTIMIZERS["Lookahead"]())
    again.optimizer.build(again.trainable_variables)
    again.load_weights(tmp_path / "2.weights.h5")
    assert kernel(again) == pytest.approx(expected[1][1], abs=1e-7)
    assert kernel(model) == pytest.approx(expected[1][0], rel=1e-5)


def test_batch_normalization_is_reestimated_for_the_averages_and_put_back(rng):
    x = rng.normal(size=(8, 2)).astype("float32")
    norm = keras.layers.BatchNormalization(momentum=0.5)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), norm])
    swa = StochasticWeightAveraging(SGD(0.1), 1, 1)
    model.compile(swa, "mse", jit_compile=False)
    model.fit(x, x, epochs=2, verbose=0)
    model.layers[0].kernel.assign(np.eye(2))  # of training: not the average
    before = ops.convert_to_numpy(norm.moving_mean)
    with averaged_weights(model, data=(x,), batch_size=8):
        dense = ops.convert_to_numpy(model.layers[0](x))
        assert not np.allclose(dense, x, atol=1e-2)
        mean = ops.convert_to_numpy(norm.moving_mean)
        np.testing.assert_allclose(mean, dense.mean(axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(ops.convert_to_numpy(norm.moving_mean), before)
    np.testing.assert_array_equal(ops.convert_to_numpy(model.layers[0].kernel), np.eye(2))


def test_before_the_first_step_nothing_is_swapped():
    model = make(StochasticWeightAveraging(SGD(0.1), 5, 1))
    with averaged_weights(model):
        assert kernel(model) == 0.0
    model.fit(ONE, ONE, verbose=0)
    with averaged_weights(model):  # before `start_step`
        assert kernel(model) == pytest.approx(0.2)
