"""What streams from disk: the same pixels, order and weights; errors that name files; waiting."""

import dataclasses
import json
import threading
import time
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest
from PIL import Image

from kcatalog.recipe import batches, pipeline
from kcatalog.recipe.batches import Batches, InOrder
from kcatalog.recipe.data import Images
from kcatalog.recipe.data.files import Files, Shelf
from kcatalog.recipe.data.images import read_image
from kcatalog.recipe.errors import RecipeError
from kcatalog.recipe.waiting import Waiting
from tests.recipe.folders import SIZE, build, draw, recipe

# --- what reaches the model --------------------------------------------------------------


def streamed(x, *further):
    """All samples, as `tf.data` hands them over."""
    parts = [[np.asarray(a) for a in part] for part in pipeline.stream(InOrder(x, *further), [])]
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def odd_images(folder):
    """One image of each kind that decoders treat differently."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (40, 30, 3)).astype("uint8")
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    image.save(folder / "turned.jpg", exif=exif)
    image.save(folder / "smooth.jpg", quality=60)
    image.convert("CMYK").save(folder / "cmyk.jpg")
    image.convert("P").save(folder / "palette.png", transparency=3)
    image.convert("RGBA").save(folder / "clear.png")
    image.convert("L").save(folder / "grey.webp")
    Image.fromarray(rng.integers(0, 65535, (40, 30)).astype("uint16")).save(folder / "deep.png")
    Image.fromarray(rng.integers(0, 65535, (40, 30)).astype("uint16")).save(folder / "deep.tiff")
    image.save(folder / "plain.bmp")
    return sorted(folder.iterdir())


@pytest.mark.parametrize("channels", [1, 3])
def test_training_and_prediction_see_the_same_pixels(tmp_path, channels):
    shape, files = (16, 12, channels), odd_images(tmp_path)
    expected = Images().read(files, {"input_shape": shape})
    (pixels,) = streamed(Files(Shelf(files, read_image, shape, "uint8", {"shape": shape})))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, expected)


def test_tensorflows_own_decoder_sees_others(tmp_path):
    """Why files are decoded by Pillow: this one would not turn an image, and stops at others."""
    import tensorflow as tf

    differing = []
    for file in odd_images(tmp_path):
        try:
            pixels = tf.io.decode_image(file.read_bytes(), channels=3).numpy()
        except tf.errors.InvalidArgumentError:
            differing.append(file.name)
            continue
        if not np.array_equal(pixels, read_image(file, (40, 30, 3))):
            differing.append(file.name)
    assert {"turned.jpg", "deep.tiff", "grey.webp"} <= set(differing)


def test_batches_are_fetched_at_once_and_come_in_order(tmp_path, monkeypatch):
    """The first batch waits until the second has been decoded, and still comes first."""
    monkeypatch.setattr(batches, "MOST_BYTES", 8)  # batches of one
    files, second, together = [tmp_path / f"{i}" for i in range(12)], threading.Event(), []
    for file in files:
        file.touch()

    def read(file):
        if file.name == "0":
            together.append(second.wait(timeout=60 if together else 0))
        elif file.name == "1":
            second.set()
        return np.array([int(file.name)])

    dataset = pipeline.stream(InOrder(Files(Shelf(files, read, (1,), "int64", {}))), [])
    assert [int(x[0, 0]) for (x,) in dataset] == list(range(12))
    assert together == [False, True]  # alone, to know its shape; and while it streamed


@pytest.fixture
def folder(tmp_path):
    return draw(tmp_path / "pictures")


def in_memory(data):
    """The same data, decoded."""
    parts = {name: getattr(data, name) for name in ("train", "validation", "test")}
    return dataclasses.replace(data, **{name: (x[:], y) for name, (x, y) in parts.items()})


def test_files_are_predicted_and_scored_as_arrays_are(folder, monkeypatch):
    monkeypatch.setattr(batches, "MOST_BYTES", 5 * 3 * SIZE**2)  # batches of 5, a smaller last one
    data = Images(size=SIZE).load(folder)
    model, (x, y) = build(keras_tuner.HyperParameters(), data), data.test
    assert len(x) % 5
    outputs = pipeline.predict(model, x)
    assert len(outputs) == len(x)
    np.testing.assert_allclose(outputs, pipeline.predict(model, x[:]), atol=1e-6)
    scores, expected = pipeline.evaluate(model, x, y), pipeline.evaluate(model, x[:], y)
    assert scores.keys() == expected.keys()
    assert list(scores.values()) == pytest.approx(list(expected.values()), rel=1e-5)


# --- whole runs --------------------------------------------------------------------------


def weights(run):
    with np.load(run / "checkpoints" / "last.npz") as saved:
        return {k: saved[k] for k in saved.files if k.startswith(("weights", "optimizer"))}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert np.array_equal(one[name], other[name]), name


@pytest.fixture
def trained(call, folder):
    """The folder's recipe, trained without interruption."""

    def train(*arguments, recipe=recipe):
        done = call("train", "--data", folder, *arguments, recipe=recipe)
        assert done.code == 0, done.err
        number = max(int(d.name) for d in (done.folder / "runs" / "tiny_folder").iterdir())
        return done.folder / "runs" / "tiny_folder" / str(number)

    return train


class InMemory(Images):
    """The same source, but everything is decoded before training."""

    def from_path(self, path, seed):
        return in_memory(super().from_path(path, seed))


@pytest.mark.slow
def test_what_is_learned_does_not_depend_on_where_samples_are(trained):
    kept = trained()
    disk = trained("--cache-memory", 0)
    memory = trained(recipe=dataclasses.replace(recipe, source=InMemory(size=SIZE)))
    assert_same(weights(kept), weights(disk))
    assert_same(weights(kept), weights(memory))
    history = json.loads((kept / "training.json").read_text())["history"]
    assert history[-1]["accuracy"] > 0.9
    assert [p.name for p in disk.iterdir() if "cache" in p.name or "tmp" in p.name] == []


@pytest.mark.slow
def test_a_file_truncated_between_epochs_is_named_and_the_run_resumes(
    call, trained, folder, monkeypatch
):
    """The run stops with the file's name; once it is whole again, the run ends as it would have."""
    whole = weights(trained())
    file = folder / "cats" / "0001.png"
    sound, start = file.read_bytes(), Batches.start

    def truncating(self, epoch):
        start(self, epoch)
        if epoch == 2:
            file.write_bytes(sound[:100])

    monkeypatch.setattr(Batches, "start", truncating)
    used = [Path(p) for p in _learned_from(folder)]
    assert file in used
    stopped = call("train", "--data", folder, recipe=recipe)
    assert stopped.code == 2
    assert stopped.err.strip().startswith(f"{file} must stay as it was when the run began")
    assert "Traceback" not in stopped.err

    monkeypatch.setattr(Batches, "start", start)
    file.write_bytes(sound)
    resumed = call("train", "--resume", recipe=recipe)
    assert resumed.code == 0, resumed.err
    assert "Resuming after epoch 2." in resumed.out
    assert_same(weights(resumed.folder / "runs" / "tiny_folder" / "2"), whole)


def _learned_from(folder):
    x, _ = Images(size=SIZE).load(folder).train
    return [x.shelf.paths[place] for place in x.places]


@pytest.mark.slow
def test_a_file_with_a_sound_header_and_no_pixels_is_named(call, folder):
    file = folder / "dogs" / "0001.png"
    file.write_bytes(file.read_bytes()[:60])
    done = call("train", "--data", folder, recipe=recipe)
    assert done.code == 2
    assert done.err.strip().startswith(f"{file} must be an image that Pillow can read")


@pytest.mark.slow
def test_the_whole_way_on_a_folder(call, folder):
    """Tuned, trained, judged beside its baseline, with pictures; the test part is decoded once."""
    done = call("tune", "--data", folder, recipe=recipe)
    assert done.code == 0, done.err
    assert "failed" not in done.out
    for step in ("train", "evaluate"):
        done = call(step, recipe=recipe)
        assert done.code == 0, done.err
    run = done.folder / "runs" / "tiny_folder" / "1"
    assert json.loads((run / "metrics.json").read_text())["test"] > 0.9


# --- waiting -----------------------------------------------------------------------------


class Slow(Batches):
    """Batches that take their time, one after another."""

    seconds, lock = 0.02, threading.Lock()

    def __getitem__(self, index):
        with self.lock:
            time.sleep(self.seconds)
            return super().__getitem__(index)


class Fast(Slow):
    seconds = 0.0


class Working(keras.callbacks.Callback):
    """Steps that take as long as a batch of `Slow`."""

    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.02)


def said_of(kind, folder, epochs=3, further=()):
    """What is said of training on some batches, and what TensorBoard is told."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    data = Images(size=SIZE).load(draw(folder / "pictures", 120))
    data.keep(folder, 1.0)
    samples, said, logs = kind(*data.train, 4, 0), [], folder / "logs"
    model = build(keras_tuner.HyperParameters(), data)
    waiting = Waiting(logs, said.append)
    pipeline.fit(model, data, samples, list(further), waiting, epochs=epochs, verbose=0)
    board = EventAccumulator(str(logs)).Reload()
    steps = [e.step for e in board.Tensors("waiting for data (share of a step)")]
    assert steps == list(range(epochs))
    return said


@pytest.mark.slow
def test_a_slow_source_is_told_of_once_with_figures(tmp_path):
    (sentence,) = said_of(Slow, tmp_path)
    assert sentence.startswith("Training waited for data ")
    assert " of epoch 2 (" in sentence
    assert " ms a step). " in sentence


@pytest.mark.slow
def test_nothing_is_said_of_the_epoch_that_fills_the_cache(tmp_path):
    assert said_of(Slow, tmp_path, epochs=1) == []


@pytest.mark.slow
@pytest.mark.parametrize("further", [(), (Working(),)], ids=["short steps", "long steps"])
def test_nothing_is_said_of_a_fast_source(tmp_path, further):
    assert said_of(Fast, tmp_path, further=further) == []


def test_what_is_waited_for_is_measured(tmp_path):
    """The clock of the pipeline against one outside of it."""
    waiting = Waiting(tmp_path, lambda sentence: None)
    x = np.zeros((40, 2), "float32")
    timed = waiting.measure(pipeline.stream(Slow(x, np.zeros(40, "int32"), 4, 0), []))
    began = time.perf_counter()
    assert len(list(timed)) == 10
    outside = time.perf_counter() - began
    inside = float(waiting.seconds.numpy())
    assert 9 * Slow.seconds < inside <= outside


def test_errors_keep_their_kind_and_sentence(tmp_path):
    class Broken(InOrder):
        def __getitem__(self, index):
            if index == 1:
                raise RecipeError("some.png must be an image.")
            return super().__getitem__(index)

    samples = Broken(np.zeros((20, 2), "float32"))
    samples.batch_size = 5
    with (
        pytest.raises(RecipeError, match=r"^some\.png must be an image\.$"),
        pipeline._errors() as e,
    ):
        list(pipeline.stream(samples, e))
