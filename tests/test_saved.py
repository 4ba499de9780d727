"""`.keras` files and SavedModels of earlier versions still load."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from kcatalog.recipe import Recipe
from kcatalog.recipe.commands import cli
from kcatalog.recipe.data import Images
from kcatalog.recipe.export import loading

SAVED = Path(__file__).parent / "saved"
NAME = "digits_small"
RECIPE = Recipe(
    NAME,
    Images(default="digits", size=8, channels=1),
    build=lambda hp, data: None,  # the model is loaded, never built
    baseline=lambda data: ("chance", 0.1),
)
reads_keras_3_15 = pytest.mark.skipif(
    tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15),
    reason="Keras reads no file of a later Keras, and 3.15 wrote this one",
)


@pytest.fixture
def answers():
    with np.load(SAVED / "outputs.npz") as arrays:
        return dict(arrays)


@reads_keras_3_15
def test_a_keras_file_loads(answers):
    model = keras.saving.load_model(SAVED / "model.keras")
    logits = model.predict(answers["image"], verbose=0)
    np.testing.assert_allclose(logits, answers["logits"], atol=1e-5)


@pytest.mark.tensorflow
def test_a_saved_model_loads_in_plain_tensorflow(answers, one_process, tmp_path):
    """The process can import neither Keras nor kcatalog."""
    samples, wanted = tmp_path / "samples.npz", answers["probabilities"]
    np.savez(samples, request=answers["image"], probabilities=wanted)
    found = one_process.check("tensorflow", model=SAVED / NAME / "1", samples=samples)
    assert found["largest_difference"] < 1e-5
    assert found["compared_samples"] == len(wanted)
    assert "label" in found["outputs"]


@pytest.fixture
def exported(tmp_path, monkeypatch):
    """The current folder holds the export, where `export` puts it."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(SAVED / NAME, Path("saved_models") / NAME)


@pytest.mark.tensorflow
def test_predict_and_serve_find_the_export(exported, answers):
    found = loading.find(RECIPE)
    outputs = found.outputs(answers["image"])
    np.testing.assert_allclose(outputs["probabilities"], answers["probabilities"], atol=1e-5)
    assert outputs["label"].astype(str).tolist() == answers["label"].tolist()
    assert found.info.classes == tuple("0123456789")


@pytest.mark.tensorflow
def test_predict_reads_the_export(exported, answers, capsys):
    Image.fromarray(answers["image"][0, ..., 0]).save("zero.png")
    assert cli.run(RECIPE, ["predict", "zero.png"]) == 0
    output = capsys.readouterr().out
    assert f"{answers['label'][0]}" in output.split("zero.png")[-1].split()
