"""Streaming from disk: the same pixels, order and weights; errors that name files; stalls."""

import contextlib
import ctypes
import dataclasses
import gc
import json
import re
import threading
import time

import keras
import keras_tuner
import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from kcatalog.recipe.commands import evaluation
from kcatalog.recipe.data import Images
from kcatalog.recipe.data.files import Files, Shelf, take
from kcatalog.recipe.data.pixels import read_image
from kcatalog.recipe.feed import batches, pipeline
from kcatalog.recipe.feed.batches import Batches, InOrder
from kcatalog.recipe.feed.input_stalls import Waiting
from kcatalog.recipe.monitoring.events import EventFile
from kcatalog.recipe.search.process import memory_used
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe import tiny
from tests.recipe.folders import SIZE, build, draw, recipe

MB = 1024**2

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
    expected = Images().read(files, tiny.info(input_shape=shape))
    (pixels,) = streamed(Files(Shelf(files, read_image, shape, "uint8", {"shape": shape})))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, expected)


def test_tensorflows_own_decoder_sees_others(tmp_path):
    """Why files are decoded by Pillow: this one does not turn an image."""
    import tensorflow as tf

    (turned,) = (file for file in odd_images(tmp_path) if file.name == "turned.jpg")
    pixels = tf.io.decode_image(turned.read_bytes(), channels=3).numpy()
    assert not np.array_equal(pixels, read_image(turned, (40, 30, 3)))


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
    return draw(tmp_path / "pictures", 12)


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


def test_what_is_learned_does_not_depend_on_where_samples_are(folder, tmp_path):
    model = build(keras_tuner.HyperParameters(), Images(size=SIZE).load(folder))
    model.optimizer.build(model.trainable_variables)
    variables = *model.variables, *model.optimizer.variables  # the dropout's seed is one
    initial = [keras.ops.convert_to_numpy(v) for v in variables]

    def learned(data):
        for variable, value in zip(variables, initial, strict=True):
            variable.assign(value)
        pipeline.fit(model, data, Batches(*data.train, 4, 0), [], epochs=2, verbose=0)
        return model.get_weights()

    expected = learned(in_memory(Images(size=SIZE).load(folder)))
    for memory in (1.0, 0.0):  # kept in memory, and in a file
        data = Images(size=SIZE).load(folder)
        data.keep(tmp_path, memory)
        for one, other in zip(learned(data), expected, strict=True):
            np.testing.assert_array_equal(one, other)


# --- a whole run -------------------------------------------------------------------------


def test_the_whole_way_on_a_folder(call, tmp_path, monkeypatch):
    """Tuned, stopped by a file that is truncated meanwhile, resumed once it is whole, and judged
    beside its baseline, with pictures and samples of both classes."""
    monkeypatch.setattr(evaluation, "COMPARED", 4)
    folder = draw(tmp_path / "pictures")
    done = call("tune", "--data", folder, "--cache-memory", 0, recipe=recipe)
    assert done.code == 0, done.err
    assert "failed" not in done.out

    x, _ = Images(size=SIZE).load(folder).train
    file = x.shelf.paths[x.places[0]]
    sound, start = file.read_bytes(), Batches.start

    def truncating(self, epoch):
        start(self, epoch)
        if epoch == 2:
            file.write_bytes(sound[:100])

    with monkeypatch.context() as patch:
        patch.setattr(Batches, "start", truncating)
        stopped = call("train", recipe=recipe)
    assert stopped.code == 2
    assert stopped.err.strip().startswith(f"{file} must stay as it was when the run began")
    assert "Traceback" not in stopped.err
    file.write_bytes(sound)
    resumed = call("train", "--resume", recipe=recipe)
    assert resumed.code == 0, resumed.err
    assert "Resuming after epoch 2." in resumed.out

    assert call("evaluate", recipe=recipe).code == 0
    run = tmp_path / "runs" / "tiny_folder" / "1"
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test"] > 0.9
    assert metrics["baseline"] == {"name": "always cats", "test": 0.5}
    board = EventAccumulator(str(run / "logs" / "test")).Reload()
    assert {"confusion matrix", "sample predictions"} <= set(board.Tags()["tensors"])
    board = EventAccumulator(str(run / "logs" / "training" / "pipeline")).Reload()
    assert "waiting for data (share of a step)" in board.Tags()["tensors"]
    with np.load(run / "samples.npz") as samples:
        red, blue = samples["request"].mean(axis=(1, 2))[:, [0, 2]].T
    assert (red > blue).tolist() == [True, True, False, False]
    assert [p.name for p in run.iterdir() if "cache" in p.name or "tmp" in p.name] == []


def test_memory_stays_flat_beyond_the_cache(tmp_path):
    """More decoded images are learned from than memory may grow by: none may be kept."""
    assert growth(tmp_path, count=400, edge=320) < 100 * MB


@pytest.mark.soak
def test_memory_stays_flat_far_beyond_the_cache(tmp_path):
    """Some 1.2 GB of them."""
    assert growth(tmp_path, count=1200, edge=512) < 300 * MB


def growth(folder, count, edge, memory=0.0):
    """By how many bytes learning from all files takes more than learning from some of them."""
    data, resident = Images(size=edge).load(draw(folder / "pictures", count)), []
    data.keep(folder, memory)
    inputs = keras.Input(data.input_shape, dtype="uint8")
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(mean))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    measuring = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: resident.append(memory_in_use())
    )
    (x, y), some = data.train, np.arange(64)
    few = dataclasses.replace(data, validation=(take(x, some), y[some]))
    pipeline.fit(model, few, Batches(*few.validation, 8, 0), [measuring], epochs=4, verbose=0)
    before = max(resident)
    pipeline.fit(model, data, Batches(x, y, 8, 0), [measuring], epochs=2, verbose=0)
    return max(resident) - before


def memory_in_use():
    """Return the memory of this process, without garbage and what glibc still holds of it."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return memory_used()


# --- waiting -----------------------------------------------------------------------------


class Slow(Batches):
    """Batches that take their time, one after another: more than a busy machine between steps."""

    lock = threading.Lock()

    def __getitem__(self, index):
        with self.lock:
            time.sleep(0.1)
            return super().__getitem__(index)


def drive(waiting, epochs):
    """Keras's calls of a callback around steps that do nothing but wait."""
    samples = Slow(np.zeros((12, 2)), np.zeros(12), 4, 0)
    dataset = waiting.measure(pipeline.stream(samples, []))
    waiting.on_train_begin()
    for epoch in range(epochs):
        samples.start(epoch)
        waiting.on_epoch_begin(epoch)
        for number, _ in enumerate(dataset):
            waiting.on_train_batch_end(number)
        waiting.on_epoch_end(epoch)
    waiting.on_train_end()


def test_a_slow_source_is_told_of_once_after_the_cache_is_filled(tmp_path):
    said = []
    drive(Waiting(EventFile(tmp_path), said.append), epochs=4)
    (sentence,) = said
    found = re.match(
        r"Training waited for data (\d+) % of epoch 2 \((.+) ms of (.+) ms a step\)\. ", sentence
    )
    share, waited, step = map(float, found.groups())
    assert share > 50
    assert share == pytest.approx(100 * waited / step, abs=1)
    board = EventAccumulator(str(tmp_path)).Reload()
    for unit, least, most in (("share of a step", 0.5, 1), ("ms a step", 0, np.inf)):
        events = board.Tensors(f"waiting for data ({unit})")
        assert [e.step for e in events] == [0, 1, 2, 3]
        assert least < make_ndarray(events[1].tensor_proto) <= most


@pytest.mark.parametrize(
    ("waited", "step", "told"),
    [
        (0.0121, 0.0283, True),
        (0.0009, 0.0010, False),  # steps are merely short
        (0.0050, 0.0500, False),  # a tenth is not worth a word
    ],
)
def test_what_is_worth_a_word(tmp_path, monkeypatch, waited, step, told):
    said, clock = [], iter(np.arange(100) * step)
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    waiting = Waiting(EventFile(tmp_path), said.append)
    waiting.measure(pipeline.stream(Batches(np.zeros((4, 2)), np.zeros(4), 4, 0), []))
    waiting.on_train_begin()
    for epoch in range(3):
        waiting.on_epoch_begin(epoch)
        for number in range(11):
            waiting.on_train_batch_end(number)
            waiting.seconds.assign_add(waited)
        waiting.seconds.assign_sub(waited)
        waiting.on_epoch_end(epoch)
    waiting.on_train_end()
    assert len(said) == told
    if told:
        assert said[0].startswith(
            "Training waited for data 43 % of epoch 2 (12.1 ms of 28.3 ms a step). "
        )


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
