"""Left-out measurements. The test controls the clock."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from kcatalog.callbacks import periodic


class Costly(periodic.Periodic):
    """Measuring takes `first`, then `later` seconds; a step 1 s, the first one 10 s."""

    first_price = 4.0

    def __init__(self, first, later, max_share):
        super().__init__(None, 1, max_share)
        self.first, self.later, self.at = first, later, []

    def measure(self):
        self.time.now += self.later if self.measured else self.first
        self.at.append(self._step)
        return {}


class Measured(periodic.Periodic):
    """Keeps the steps that were measured."""

    def start(self):
        self.at = []

    def measure(self):
        self.at.append(self._step)
        return {}


class Time:
    now = 0.0

    def __call__(self):
        return self.now


def trained(monkeypatch, costly, epochs, steps=10, execution=1, first=10.0):
    """Return the seconds that a training takes, with Keras's calls of the callback by hand."""
    costly.time = Time()
    monkeypatch.setattr(periodic, "clock", costly.time)
    monkeypatch.setattr(periodic, "COMPILING", {keras.backend.backend(): 0.25})
    costly.set_model(SimpleNamespace(steps_per_execution=execution))
    costly.set_params({"steps": steps, "epochs": epochs})
    costly.on_train_begin()
    for epoch in range(epochs):
        costly.on_epoch_begin(epoch)
        for batch in range(0, steps, execution):
            costly.on_train_batch_begin(batch)
            costly.time.now += execution if costly._steps else first
            costly.on_train_batch_end(batch)
    costly.on_train_end()
    return costly.time.now


def test_a_share_of_one_measures_always(monkeypatch):
    costly = Costly(50, 50, max_share=1.0)
    trained(monkeypatch, costly, 1)
    assert costly.measured == 10
    assert costly.left_out == 0


def test_a_training_too_short_is_not_measured(monkeypatch):
    costly = Costly(10, 1, max_share=0.1)  # 10 s and the step's 1, of 10 % of 19 s
    assert trained(monkeypatch, costly, 1) == pytest.approx(19)
    assert costly.measured == 0
    assert costly.left_out == 10


def test_the_last_step_is_measured_if_no_other_was(monkeypatch):
    costly = Costly(10, 1, max_share=0.1)
    costly.at_least_once = True
    trained(monkeypatch, costly, 2)
    assert costly.at == [20]


@pytest.mark.parametrize("epochs", [20, 40])
def test_all_stay_within_the_share_and_spread(monkeypatch, epochs):
    costly = Costly(10, 1, max_share=0.1)
    training = 9 + 10 * epochs
    took = trained(monkeypatch, costly, epochs)
    assert 0.05 < (took - training) / training <= 0.1
    thirds = np.histogram(costly.at, bins=3, range=(0, 10 * epochs))[0]
    assert thirds.min() > 0.2 * thirds.sum()


class Recompiling(Costly):
    """The first measurement after step 40 compiles again."""

    again = None

    def compiles(self):
        return super().compiles() or (self.again is None and self._step > 40)

    def measure(self):
        if self.measured and self.compiles():
            self.again = self._step
            self.time.now += self.first - self.later
        return super().measure()


def test_compiling_again_is_paid_for_once(monkeypatch):
    costly = Recompiling(10, 1, max_share=0.1)
    took = trained(monkeypatch, costly, 40)
    assert costly.again is not None
    assert (took - 409) / 409 <= 0.1
    assert sum(step > costly.again for step in costly.at) >= 5


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras has one step an execution")
def test_an_execution_is_as_many_steps_as_it_has():
    expected = {
        1: [10, 20, 25, 35, 45, 50],
        7: [10, 20, 25, 35, 45, 50],
        30: [35],
        12: [20, 25, 45, 50],
    }
    watching = [Measured(None, every_steps, 1.0) for every_steps in expected]
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=10, jit_compile=False)
    x = np.zeros((25, 1), "float32")
    model.fit(x, x, epochs=2, batch_size=1, verbose=0, callbacks=watching)
    assert {each.every_steps: each.at for each in watching} == expected


def test_a_training_that_goes_on_counts_its_steps_on():
    watch = Measured(None, 1, 1.0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    x = np.zeros((3, 1), "float32")
    model.fit(x, x, initial_epoch=2, epochs=4, batch_size=1, verbose=0, callbacks=[watch])
    assert watch.at == [7, 8, 9, 10, 11, 12]


def test_the_budget_is_of_steps_not_of_executions(monkeypatch):
    """10 executions of 10 s are 100 s, of which 10 % pay for 10 measurements of 1 s at most."""
    costly = Costly(1, 1, max_share=0.1)
    costly.first_price = 0.0
    took = trained(monkeypatch, costly, 1, steps=100, execution=10)
    assert 3 <= costly.measured <= 9
    assert took - 100 <= 10
