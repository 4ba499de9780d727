import json

import keras
import numpy as np
import pytest

from kcatalog.callbacks import TimeBudget, time_budget

X = np.zeros((6, 1), "float32")


class Clock:
    """A clock that stands still until told."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Takes(keras.callbacks.Callback):
    """Lets batches, validation and the end of an epoch take time."""

    def __init__(self, clock, batch=1.0, validation=0.0, end=0.0):
        super().__init__()
        self.clock, self.batch, self.validation, self.end = clock, batch, validation, end
        self.batches = 0

    def on_train_batch_end(self, batch, logs=None):
        self.clock.now += self.batch
        self.batches += 1

    def on_test_begin(self, logs=None):
        self.clock.now += self.validation

    def on_epoch_end(self, epoch, logs=None):
        self.clock.now += self.end


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time_budget, "clock", clock)
    return clock


def make():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    return model


def fit(model, budget, takes, epochs=4, **args):
    args = {"batch_size": 1, "verbose": 0, "validation_data": (X, X), **args}
    return model.fit(X, X, epochs=epochs, callbacks=[takes, budget], **args)


def reference(seconds, margin=None, batch=1.0, after=0.0, epochs=4, batches=6):
    """The batches that are trained, and the time, step by step."""
    used, longest, trained = 0.0, 0.0, 0
    for _ in range(epochs):
        for _ in range(batches):
            used, trained = used + batch, trained + 1
            if used + (longest if margin is None else margin) >= seconds:
                return trained, used + after
        used, longest = used + after, max(longest, after)
        if used + (longest if margin is None else margin) >= seconds:
            break
    return trained, used


@pytest.mark.parametrize(
    ("seconds", "margin", "validation", "end"),
    [
        (9.5, None, 0.0, 0.0),
        (20.0, None, 3.0, 1.0),  # two epochs of 10 would be all, but for the margin of 4
        (12.0, 4.0, 4.0, 0.0),
        (6.0, 4.0, 4.0, 0.0),
        (10.0, None, 4.0, 0.0),  # used up by the first epoch's end
        (1000.0, None, 1.0, 1.0),
        (0.5, None, 0.0, 0.0),
    ],
)
def test_reference(clock, seconds, margin, validation, end):
    takes, budget = Takes(clock, 1.0, validation, end), TimeBudget(seconds, margin)
    fit(make(), budget, takes)
    expected = reference(seconds, margin, 1.0, validation + end)
    assert (takes.batches, clock.now - 100.0) == expected
    assert budget.used == expected[1]
    assert budget.stopped == (seconds < 1000)


def test_the_margin_keeps_the_end_within_the_budget(clock):
    takes, budget = Takes(clock, 1.0, 3.0), TimeBudget(32.0)  # three epochs of 9, 2 batches, 3
    fit(make(), budget, takes, epochs=9)
    assert (takes.batches, clock.now - 100.0) == (20, 32.0)


def test_a_training_that_goes_on_counts_on_and_another_model_begins_anew(clock):
    takes, budget, model = Takes(clock), TimeBudget(8.0), make()
    fit(model, budget, takes, epochs=1)
    assert not budget.stopped
    fit(model, budget, takes, epochs=4, initial_epoch=1)
    assert (takes.batches, budget.used, budget.stopped) == (8, 8.0, True)
    clock.now += 1e6  # between trainings nothing is used
    fit(model, budget, takes, epochs=4, initial_epoch=2)
    assert takes.batches == 9
    fit(make(), budget, takes, epochs=1)
    assert (takes.batches, budget.used, budget.stopped) == (15, 6.0, False)


def test_a_file_counts_across_processes_also_after_a_kill(clock, tmp_path):
    file = tmp_path / "time.json"
    takes = Takes(clock, 4.0)

    class Killed(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 4:
                raise KeyboardInterrupt

    model = make()
    callbacks = [takes, TimeBudget(100.0, file=file), Killed()]
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, X, batch_size=1, verbose=0, callbacks=callbacks)
    assert json.loads(file.read_text()) == {"used": 12.0}  # of 20: the last 8 are lost
    takes.batches, budget = 0, TimeBudget(20.0, file=file)
    fit(make(), budget, takes)
    assert (takes.batches, budget.used) == (2, 20.0)
    assert json.loads(file.read_text()) == {"used": 20.0}
    assert [f.name for f in tmp_path.iterdir()] == ["time.json"]
