"""Without arguments a recipe goes from data to a verified SavedModel."""

import json

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def test_says_what_happened_and_where(whole_way):
    for said in (
        "tiny on clouds in runs/tiny/1",
        "(2 of 2): val_accuracy",
        "Baseline (always left): 0.5000",
        "Checked in a clean process: the largest difference is",
        "SavedModel:  saved_models/tiny/1",
        "TensorBoard: tensorboard --logdir runs/tiny/1/logs",
        "Trials",
        "optimizer=Adam",
        "dropout.rate=0.2,",  # the first trial: the part's default
    ):
        assert said in whole_way.out


@pytest.mark.tensorflow
def test_is_silent_apart_from_that(whole_way):
    assert whole_way.err == ""


def test_run_directory(whole_way):
    assert {f.name for f in whole_way.run.iterdir()} == {
        "record.json", "run.toml", "training.json", "metrics.json", "samples.npz",
        "model.keras", "tuning", "logs", "checkpoints", ".lock",
    }  # fmt: skip
    assert not list(whole_way.folder.rglob(".unfinished*"))


def test_manifest(whole_way):
    manifest = json.loads((whole_way.folder / "saved_models/tiny/1/manifest.json").read_text())
    assert manifest["recipe"] == "tiny"
    assert manifest["metrics"]["measure"] == "accuracy"
    assert manifest["metrics"]["test"] > manifest["metrics"]["baseline"]["test"] == 0.5
    assert manifest["largest_difference"] < manifest["tolerance"] == 1e-4
    assert manifest["data"]["classes"] == ["left", "right"]
    assert len(manifest["data"]["fingerprint"]) == 64
    assert manifest["hyperparameters"]["units"] in (4, 8)
    assert {"python", "keras", "tensorflow", "kcatalog"} <= manifest["versions"].keys()
    assert manifest["command"] == "tiny.py"
    parts = {p["part"]: p["config"] for p in manifest["parts"]}
    assert parts["keras.layers.Dropout"]["rate"] == manifest["hyperparameters"]["dropout.rate"]
    assert parts["keras.losses.SparseCategoricalCrossentropy"]["from_logits"] is True
    assert any(p.startswith("keras.optimizers.") for p in parts)


def test_tensorboard_begins_with_the_curves(whole_way):
    """Groups are sorted by name, capitals first, and the first two are open."""
    logs = whole_way.run / "logs"
    files = {f.parent for f in logs.rglob("*tfevents*")}
    tags = {t for f in files for t in EventAccumulator(str(f)).Reload().Tags()["tensors"]}
    groups = sorted({tag.partition("/")[0] for tag in tags})
    assert groups[:2] == ["Learning curves", "Test scores"]
    curves = {tag.partition("/")[2] for tag in tags if tag.startswith(groups[0])}
    assert curves == {"loss", "accuracy"}


def test_samples_are_the_live_models_answers(whole_way):
    with np.load(whole_way.run / "samples.npz") as samples:
        assert samples["request"].shape == (32, 2)
        assert np.allclose(samples["probabilities"].sum(axis=-1), 1)
