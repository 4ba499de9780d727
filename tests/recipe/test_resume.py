"""A run that is killed, resumed, or that diverges."""

import json

import keras
import numpy as np
import pytest

import kcatalog
from kcatalog.recipe.feed import batches
from kcatalog.recipe.files import run_toml
from kcatalog.recipe.training.checkpoint import Checkpoint
from tests.recipe import tiny


def weights(run):
    return keras.saving.load_model(run / "model.keras").get_weights()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:GradientFlow:RuntimeWarning")
def test_nan_stops_training_and_keeps_the_best_weights(call, monkeypatch):
    monkeypatch.setattr(batches, "Batches", tiny.Misbehaving)
    monkeypatch.setenv("TINY_NAN", "2")
    done = call("train")
    assert done.code == 0, done.err
    assert (
        "The loss was not finite in epoch 3, so training stopped. Kept the weights of epoch"
        in done.out
    )
    facts = json.loads((done.run / "training.json").read_text())
    assert facts["diverged_in_epoch"] == 3
    assert facts["epochs"] == 2
    assert all(np.isfinite(w).all() for w in weights(done.run))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:GradientFlow:RuntimeWarning")
def test_nan_from_the_start_is_one_sentence_and_train_begins_anew(call, monkeypatch):
    """So a smaller learning rate can be tried, as the sentence says."""
    monkeypatch.setattr(batches, "Batches", tiny.Misbehaving)
    monkeypatch.setenv("TINY_NAN", "0")
    done = call("train")
    assert done.code == 2
    assert "in runs/tiny/1" in done.out
    assert done.err.strip().endswith("Try a smaller learning rate, or gradient clipping.")
    assert not (done.run / "model.keras").exists()
    monkeypatch.delenv("TINY_NAN")
    again = call("train", "--epochs", "1", "--set", "optimizer.Adam.learning_rate=1e-4")
    assert again.code == 0, again.err
    assert "in runs/tiny/2" in again.out


@pytest.mark.slow
def test_fewer_epochs_than_are_done_are_refused(call):
    done = call("train", "--epochs", "2")
    (done.run / "model.keras").unlink()
    refused = call("train", "--resume", "--epochs", "1")
    assert refused.code == 2
    sentence = "runs/tiny/1 has already been trained for 2 epochs. Use --epochs 2 or more."
    assert refused.err.strip() == sentence
    assert run_toml.read(done.run / "run.toml")["options"]["epochs"] == 2
    assert call("train", "--resume", "--epochs", "2").code == 0


@pytest.mark.parametrize(("accuracy", "kept"), [(0.9, "average"), (0.5, "average"), (0.4, "best")])
def test_averaged_weights_are_one_more_candidate(tmp_path, accuracy, kept):
    """Averaged weights at the end are kept if they are as good as the best epoch."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    averaging = kcatalog.optimizers.StochasticWeightAveraging("sgd", start_step=1)
    model.compile(averaging, "mse", metrics=["accuracy"])
    checkpoint = Checkpoint(tmp_path, "val_accuracy")
    checkpoint.set_model(model)
    best = model.get_weights()
    checkpoint.on_epoch_end(0, {"loss": 1.0, "val_loss": 1.0, "val_accuracy": 0.5})
    average = [w + 1 for w in best]
    model.set_weights(average)
    judged = {"val_accuracy": accuracy, "val_loss": 1.0}
    checkpoint.keep_best(model, lambda: judged)
    assert checkpoint.averaged == (kept == "average")
    expected = {"average": average, "best": best}[kept]
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), expected, strict=True))
