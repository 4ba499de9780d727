"""Recipes for embeddings: nearest neighbours, balanced batches, warming up, the projector."""

import dataclasses
import json
import os
import urllib.parse
import urllib.request
from io import BytesIO
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

import kcatalog
from docs import tensorboard_tabs
from kcatalog.recipe import Recipe, tasks
from kcatalog.recipe.commands import cli
from kcatalog.recipe.data import Data, Images, Labelled, Speech
from kcatalog.recipe.data.files import Files, Shelf
from kcatalog.recipe.feed.batches import Balanced
from kcatalog.recipe.files import run_toml
from kcatalog.recipe.monitoring import projector
from kcatalog.recipe.tasks import batches_of, neighbours
from kcatalog.recipe.terminal.errors import RecipeError
from kcatalog.recipe.training import loss_switch
from tests.recipe import tiny


class Clouds(tiny.Clouds):
    """The tiny recipe's points, to be embedded."""

    def _clouds(self, seed):
        return dataclasses.replace(super()._clouds(seed), task="embedding")


def build(hp, data):
    """A dense layer to vectors of length one; by default it warms up for one epoch."""
    inputs = keras.Input(data.input_shape, name=data.input_name)
    x = keras.layers.Dense(hp.Choice("units", [3, 4]))(inputs)
    model = keras.Model(inputs, keras.layers.UnitNormalization()(x))
    hp.Choice("samples_per_class", [4, 5])
    losses = kcatalog.losses.TripletSemiHard(0.4), kcatalog.losses.TripletHard(0.4)
    model.compile("adam", loss_switch.SwitchedLoss(*losses, epochs=1), jit_compile=False)
    return model


def baseline(data):
    """Always the first class."""
    return "always left", 0.5


recipe = Recipe(
    "tiny_embedding", Clouds(), build, baseline, epochs=3, trials=1, trial_epochs=1, batch_size=8
)


# --- scores -----------------------------------------------------------------------------


def by_loops(x, labels, known, known_labels, itself):
    """Recall@1, MAP@R and the nearest label, a sample at a time."""
    recalls, precisions, nearest = [], [], []
    for i, (a, label) in enumerate(zip(x, labels, strict=True)):
        cosines = [a @ b / np.sqrt((a @ a) * (b @ b)) for b in known]
        order = [j for j in np.argsort(cosines)[::-1] if not (itself and i == j)]
        nearest.append(known_labels[order[0]])
        right = [known_labels[j] == label for j in order]
        if R := sum(right):
            recalls.append(right[0])
            precisions.append(sum(sum(right[: n + 1]) / (n + 1) for n in range(R) if right[n]) / R)
    return np.mean(recalls), np.mean(precisions), nearest


@pytest.mark.parametrize("itself", [True, False])
def test_scores_agree_with_loops(rng, monkeypatch, itself):
    monkeypatch.setattr(neighbours, "CHUNK", 7)
    x, labels = rng.normal(size=(40, 3)), np.append(rng.integers(0, 4, 39), 9)
    known, gallery = (x, labels), None
    if not itself:
        known = gallery = rng.normal(size=(30, 3)), rng.integers(0, 5, 30)
    recall, precision, nearest = by_loops(x, labels, *known, itself)
    assert 0 < recall < 1
    found = neighbours.retrieval(x, labels, gallery)
    assert found == pytest.approx({"recall@1": recall, "MAP@R": precision})
    if not itself:
        assert neighbours.nearest_labels(x, *gallery).tolist() == nearest


def test_everything_in_one_point_scores_nothing():
    scores = neighbours.retrieval(np.ones((6, 2)), np.repeat([0, 1], 3))
    assert scores["recall@1"] == scores["MAP@R"] == 0


# --- data and batches -------------------------------------------------------------------


def source():
    return Labelled(Images(size=8, channels=1), Speech(rate=1000, seconds=0.1))


def test_known_sets_have_the_task():
    digits, vowels = source().load(), source().load("vowels")
    assert (digits.name, digits.task, digits.input_name) == ("digits", "embedding", "image")
    known = vowels.name, vowels.task, vowels.input_name
    assert known == ("japanese_vowels", "embedding", "frames")


@pytest.mark.parametrize("kind", ["image", "waveform"])
def test_a_folder_of_either_kind(tmp_path, kind):
    for label, name in enumerate("ab"):
        (tmp_path / name).mkdir()
        for i in range(4):
            if kind == "image":
                Image.new("L", (8, 8), 100 * label).save(tmp_path / name / f"{i}.png")
            else:
                tone = np.sin(np.arange(100) * (label + 1)).astype("float32")
                wavfile.write(tmp_path / name / f"{i}.wav", 1000, tone)
    data = source().load(tmp_path)
    assert (data.task, data.input_name, data.classes) == ("embedding", kind, ("a", "b"))
    (file,) = (tmp_path / "a").glob("0.*")
    assert source().read([file], data.info).shape == (1, *data.input_shape)


def test_a_class_needs_two_samples_to_train_with(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.new("L", (8, 8)).save(tmp_path / name / f"{i}.png")
    with pytest.raises(RecipeError, match=r"Class 'a' in .* must have at least 2 samples to train"):
        source().load(tmp_path)


def test_batches_are_balanced_and_the_same_in_a_resumed_run():
    data = Clouds().load()
    hp = SimpleNamespace(values={"samples_per_class": 5, "batch_size": 11})
    batches, again = (batches_of(data, hp, 32, seed=3) for _ in range(2))
    assert isinstance(batches, Balanced)
    assert np.bincount(batches[0][1]).tolist() == [5, 5]
    for _ in range(4):
        batches.on_epoch_end()  # Keras's calls count for nothing: the callback says which epoch
    for each in (batches, again):
        each.start(7)
    np.testing.assert_array_equal(batches[1][0], again[1][0])
    again.start(8)
    assert not np.array_equal(batches[1][0], again[1][0])


# --- warming up -------------------------------------------------------------------------


def fitted(loss, epochs, start=0, weights=None):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), loss, jit_compile=False)
    if weights:
        model.set_weights(weights)
    settings = {"batch_size": 32, "shuffle": False, "verbose": 0}
    model.fit(
        *Clouds().load().train,
        initial_epoch=start,
        epochs=epochs,
        callbacks=loss_switch.callbacks(model),
        **settings,
    )
    return model.get_weights()


@pytest.mark.parametrize("start", [0, 3], ids=["from the beginning", "resumed"])
def test_one_loss_after_the_other(start):
    first, then = keras.losses.MeanSquaredError, keras.losses.MeanAbsoluteError
    before = None if start else fitted(first(), 2)
    apart = fitted(then(), 4, max(start, 2), before)
    together = fitted(loss_switch.SwitchedLoss(first(), then(), epochs=2), 4, start)
    for a, b in zip(apart, together, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_loss_that_warms_up_is_saved_with_both():
    loss = loss_switch.SwitchedLoss(
        kcatalog.losses.TripletSemiHard(0.3), keras.losses.Huber(), epochs=2
    )
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(loss)))
    again = keras.saving.deserialize_keras_object(config)
    assert (again.first.margin, type(again.then), again.epochs) == (0.3, keras.losses.Huber, 2)


# --- a run ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The tiny recipe, tuned, trained and evaluated; where TensorFlow is at hand, exported."""
    folder, before = tmp_path_factory.mktemp("embedding"), os.getcwd()
    os.chdir(folder)
    try:
        step = "export" if keras.backend.backend() == "tensorflow" else "evaluate"
        for arguments in (["tune", "--set", "samples_per_class=5"], ["train"], [step]):
            assert cli.run(recipe, [*arguments, "--debug"]) == 0
    finally:
        os.chdir(before)
    return folder / "runs" / "tiny_embedding" / "1"


def test_run_is_judged_by_nearest_neighbours(run):
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["measure"] == "accuracy of the nearest neighbour"
    assert metrics["test"] > 0.7
    assert set(metrics["further"]) == {
        "recall@1", "MAP@R", "recall@1, raw features", "MAP@R, raw features",
    }  # fmt: skip
    training = json.loads((run / "training.json").read_text())
    assert {"val_margin", "val_map_at_r", "val_recall_at_1"} <= set(training["history"][0])
    assert run_toml.read(run / "run.toml")["hyperparameters"]["samples_per_class"] == 5


@pytest.mark.tensorflow
def test_export_gives_embeddings(run):
    import tensorflow as tf

    folder = run.parents[2] / "saved_models" / "tiny_embedding" / "1"
    x = Clouds().load().test[0][:5]
    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    embedding = signature(point=tf.constant(x))["embedding"].numpy()
    live = keras.saving.load_model(run / "model.keras", compile=False).predict(x, verbose=0)
    np.testing.assert_allclose(embedding, live, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-5)


def test_prediction_names_the_most_similar_file():
    printed = []
    for files, x in (("abc", [[1.0, 0.0], [0.0, 2.0], [0.1, 1.0]]), ("a", [[1.0, 1.0]])):
        described = [{"embedding": each} for each in x]
        tasks.Embedding().show(SimpleNamespace(print=printed.append), list(files), described)
    assert [list(table.columns[1].cells) for table in printed] == [["c", "c", "b"], [""]]


def test_the_objective_of_a_task_knows_its_direction():
    data = SimpleNamespace(task="embedding")
    for stated in (None, "val_margin", "val_recall_at_1", "val_map_at_r"):
        assert tasks.objective_of(SimpleNamespace(objective=stated), data).higher
    assert not tasks.objective_of(SimpleNamespace(objective="val_loss"), data).higher


# --- the projector ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def board(run):
    """TensorBoard on the run's logs; a function that fetches from the projector's plugin."""
    with tensorboard_tabs.serve(run / "logs") as url:

        def fetch(route, **query):
            query = urllib.parse.urlencode(query)
            with urllib.request.urlopen(f"{url}data/plugin/projector/{route}?{query}") as answer:
                return answer.read()

        yield fetch


def test_projector_serves_what_was_embedded(run, board):
    assert "test" in json.loads(board("runs"))
    (info,) = json.loads(board("info", run="test"))["embeddings"]
    data = Clouds().load()
    live = keras.saving.load_model(run / "model.keras", compile=False)
    expected = live.predict(data.test[0], verbose=0)
    assert info["tensorShape"] == list(expected.shape)
    which = {"run": "test", "name": info["tensorName"]}
    served = np.frombuffer(board("tensor", **which), "float32").reshape(expected.shape)
    np.testing.assert_allclose(served, expected, atol=1e-5)

    header, *rows = board("metadata", **which).decode().splitlines()
    assert header == "label\tnearest"
    assert [row.split("\t")[0] for row in rows] == [data.classes[y] for y in data.test[1]]
    nearest = neighbours.nearest_labels(served, *tasks.of(data).gallery(live, data))
    assert [row.split("\t")[1] for row in rows] == [data.classes[y] for y in nearest]

    edge = projector.THUMBNAIL
    assert info["sprite"]["singleImageDim"] == [edge, edge]
    picture = np.asarray(Image.open(BytesIO(board("sprite_image", **which))))
    columns = picture.shape[1] // edge
    for i in (0, 13, 31):
        center = picture[i // columns * edge + edge // 2, i % columns * edge + edge // 2]
        assert center.tolist() == tiny.picture(data.test[0][i])[8, 8].tolist()
    config = (run / "logs" / "test" / "projector_config.pbtxt").read_text()
    assert str(run) not in config  # it moves with its folder


def test_projector_shows_a_part_of_large_sets_and_names_files(tmp_path, monkeypatch):
    monkeypatch.setattr(projector, "MOST_SAMPLES", 6)
    paths = [tmp_path / f"{i}.txt" for i in range(10)]
    for path in paths:
        path.write_text("0")
    read = lambda path: np.zeros(2, "float32")  # noqa: E731
    some = Files(Shelf(paths, read, (2,), "float32", {})), np.arange(10, dtype="int32") % 2
    data = Data("x", "embedding", "point", some, some, some, ("one\ttwo", " "))
    projector.write(tmp_path, data, np.eye(10, dtype="float32"), some[1])
    header, *rows = (tmp_path / "labels.tsv").read_text().splitlines()
    assert header == "label\tnearest\tfile"
    assert len(rows) == 6
    for row in rows:
        *names, file = row.split("\t")
        assert names == [["one two", "?"][int(file.removesuffix(".txt")) % 2]] * 2
    assert not (tmp_path / "pictures.png").exists()
