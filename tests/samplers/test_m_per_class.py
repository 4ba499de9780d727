import itertools

import keras
import numpy as np
import pytest
from PIL import Image

from kcatalog.samplers import MPerClass
from kcatalog.samplers.rounds import Rounds


def laps(items, size, key):
    """The draws of `Rounds`, lap after lap, with nothing but a list of who sits out when."""
    for cycle in itertools.count():
        circle = np.random.default_rng((*key, 1, cycle)).permutation(items).tolist()
        out = itertools.cycle(circle)
        for turn in range(items):
            absent = [next(out) for _ in range(items % size)]
            present = [i for i in circle if i not in absent]
            rng = np.random.default_rng((*key, 0, cycle * items + turn))
            order = rng.permutation(present).tolist()
            for start in range(0, len(order), size):
                yield order[start : start + size]


def replayed(y, P, M, seed):
    """Batches of places, every class's samples dealt out as it comes up, from the beginning."""
    values = sorted(set(y))
    members = [[i for i, label in enumerate(y) if label == v] for v in values]
    streams = [
        laps(len(m), M % len(m), (seed, 1, c)) if M % len(m) else itertools.repeat([])
        for c, m in enumerate(members)
    ]
    for classes in laps(len(values), P, (seed, 0)):
        batch = []
        for c in classes:
            every = list(range(len(members[c]))) * (M // len(members[c]))
            batch += [members[c][i] for i in every + list(next(streams[c]))]
        yield batch


@pytest.mark.parametrize(("P", "M"), [(2, 2), (3, 4), (5, 3), (4, 7)])
def test_reference(rng, P, M):
    """Batch b, computed from b alone, is the b-th batch of a replay from the beginning."""
    y = rng.permutation(np.repeat([7, 3, -1, 12, 5], [2, 3, 4, 9, 11]))
    batches = MPerClass(np.arange(29), y, P, M, steps_per_epoch=5, seed=3)
    expected = list(itertools.islice(replayed(y.tolist(), P, M, seed=3), 200))
    for b in [199, *range(200), 0]:
        np.testing.assert_array_equal(batches.indices(*divmod(b, 5)), expected[b])


@pytest.mark.parametrize(("items", "size"), [(5, 2), (7, 4), (9, 5), (6, 3), (4, 4)])
def test_draws_are_fair(items, size):
    """No item lags behind by more than it must, none is drawn twice at a time."""
    rounds, drawn = Rounds(items, size, key=(1,)), np.zeros(items, int)
    per_lap, last = items // size, np.zeros(items, int)
    for n in range(4 * items * per_lap):
        one = rounds[n]
        assert len(set(one.tolist())) == size
        np.testing.assert_array_equal(rounds.before(n, one), drawn[one])
        drawn[one] += 1
        last[one] = n // per_lap
        assert n // per_lap - last.min() <= 2 or n < 3 * per_lap
    assert len(set(drawn.tolist())) == 1


def test_a_far_away_batch_needs_no_replay():
    batches = MPerClass(np.arange(1000), np.arange(1000) % 100)
    chosen = batches.indices(10**9, 3)
    assert np.bincount(chosen % 100).max() == 4


def test_an_epoch_of_even_classes_shows_every_sample_once():
    y = np.repeat(np.arange(8), 12)
    batches = MPerClass(np.arange(96), y, classes_per_batch=4, samples_per_class=3)
    seen = np.concatenate([batches[s][0] for s in range(len(batches))])
    assert len(batches) == 8
    assert sorted(seen) == list(range(96))


def test_classes_meet_different_classes():
    batches = MPerClass(np.arange(30), np.arange(30) % 10, 2, 2)
    met = {frozenset(y[[0, 2]].tolist()) for y in (batches[s][1] for s in range(7))}
    for epoch in range(100):
        met |= {frozenset((batches.indices(epoch, s)[[0, 2]] % 10).tolist()) for s in range(7)}
    assert len(met) == 45


def test_shards_hold_whole_classes_and_need_not_talk():
    x, y = np.arange(48), np.arange(48) % 12
    whole = MPerClass(x, y, 6, 3, seed=5)
    parts = [MPerClass(x, y, 6, 3, seed=5, shard=i, shards=3) for i in range(3)]
    for step in range(len(whole)):
        np.testing.assert_array_equal(np.concatenate([p[step][0] for p in parts]), whole[step][0])
        for p in parts:
            assert np.unique(p[step][1], return_counts=True)[1].tolist() == [3, 3]


def test_several_inputs_and_labels_that_are_words():
    x = {"a": np.arange(8.0), "b": (np.arange(16).reshape(8, 2), np.zeros((8, 1, 1)))}
    y = np.array(["one", "two"] * 4)[:, None]
    inputs, labels = MPerClass(x, y, 2, 2)[0]
    assert labels.shape == (4, 1)
    assert [inputs["b"][0].shape, inputs["b"][1].shape] == [(4, 2), (4, 1, 1)]
    assert (np.array(["one", "two"])[inputs["a"].astype(int) % 2] == labels[:, 0]).all()


GOOD = {"x": np.zeros((6, 2)), "y": [0, 0, 1, 1, 2, 2], "classes_per_batch": 2}


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"y": [0, 0, 1, 1, 2, 3]}, "at least two samples of each class. Received: y='1 of class"),
        ({"classes_per_batch": 4}, "`classes_per_batch` must be at most 3"),
        ({"x": np.zeros((5, 2))}, "`x` must be as long as `y`, 6 samples. Received: x=5"),
        ({"x": {"a": np.zeros(6), "b": np.zeros(7)}}, "Received: x=7"),
        ({"x": ["a", "b"]}, "`x` must be as long as `y`"),
        ({"y": [0, 0, 1, 1, np.nan, 2]}, "none of them missing. Received: y=nan (float). At 4."),
        ({"y": np.eye(6)}, "For one-hot rows: y.argmax(axis=1)."),
        ({"y": 3}, "`y` must be labels of shape (samples,)"),
        ({"shard": 2, "shards": 2}, "`shard` must be below shards=2"),
        ({"shard": -1}, "`shard` must be an integer in [0, inf)"),
        ({"shards": 3}, "`shards` must be a divisor of classes_per_batch=2"),
    ],
)
def test_bad_input_gets_one_sentence(bad, sentence):
    with pytest.raises(ValueError, match=r"^MPerClass: ") as error:
        MPerClass(**{**GOOD, **bad})
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


# --- a folder of images -----------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """Three classes of grey images of different sizes; the grey tells which image it is."""
    for label, name in enumerate(["b", "a", "c"]):
        (tmp_path / name).mkdir()
        for i in range(3):
            image = Image.new("L", (5 + i, 4), 10 * label + i)
            image.save(tmp_path / name / f"{i}.{['png', 'PNG', 'png'][i]}")
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def test_folder_is_read_batch_by_batch(folder):
    batches = MPerClass.from_directory(
        folder, (8, 6), "grayscale", classes_per_batch=2, samples_per_class=2
    )
    assert batches.class_names == ("a", "b", "c")
    for step in range(len(batches)):
        x, y = batches[step]
        assert x.shape == (4, 8, 6, 1)
        greys = np.array([10, 0, 20])[y]  # "b" was painted first
        assert ((x[:, 0, 0, 0] >= greys) & (x[:, 0, 0, 0] < greys + 3)).all()


def test_folder_trains_with_workers(folder):
    batches = MPerClass.from_directory(
        folder, (4, 4), classes_per_batch=3, samples_per_class=2, workers=2
    )
    model = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert np.isfinite(model.fit(batches, epochs=2, verbose=0).history["loss"]).all()


def test_bad_folders(folder):
    with pytest.raises(ValueError, match="must be a folder with one subfolder of images per"):
        MPerClass.from_directory(folder / "nowhere")
    with pytest.raises(ValueError, match="`color_mode` must be one of"):
        MPerClass.from_directory(folder, color_mode="grey")
    (folder / "a" / "0.png").write_bytes(b"nothing")
    batches = MPerClass.from_directory(folder, classes_per_batch=3, samples_per_class=3)
    with pytest.raises(ValueError, match=r"a/0\.png must be an image"):
        batches[0]
    (folder / "d").mkdir()
    with pytest.raises(ValueError, match="Add images to 'd', or remove it"):
        MPerClass.from_directory(folder)


# --- tf.data ----------------------------------------------------------------------------


def dataset(kind, x, y):
    import tensorflow as tf

    if kind == "fetched by place":
        return tf.data.Dataset.from_tensor_slices((x, y)).map(lambda a, b: (a + 0, b))
    spec = tf.TensorSpec(x.shape[1:], x.dtype), tf.TensorSpec((), y.dtype)
    return tf.data.Dataset.from_generator(
        lambda: zip(x, y, strict=True), output_signature=spec
    ).filter(lambda a, b: True)


@pytest.mark.tensorflow
@pytest.mark.parametrize("kind", ["fetched by place", "cached"])
@pytest.mark.parametrize("shards", [1, 2])
def test_dataset_yields_the_same_batches_as_arrays(kind, shards):
    x, y = np.arange(20, dtype="int64"), np.arange(20) % 5
    how = {"shards": shards, "shard": shards - 1, "seed": 2}
    arrays = MPerClass(x, y, 4, 3, **how)
    some = MPerClass.from_dataset(
        dataset(kind, x, y), classes_per_batch=4, samples_per_class=3, initial_epoch=1, **how
    )
    assert some.element_spec[0].shape == (12 // shards,)
    for b, (got, labels) in enumerate(some.take(5).as_numpy_iterator()):
        expected = arrays.indices(*divmod(b + len(arrays), len(arrays)))
        np.testing.assert_array_equal(got, x[expected])
        np.testing.assert_array_equal(labels, y[expected])


@pytest.mark.tensorflow
def test_dataset_trains_and_reads_only_what_it_needs():
    import tensorflow as tf

    read, x, y = [], np.arange(40, dtype="float32")[:, None], np.arange(40) % 4

    def decode(a, b):
        return tf.ensure_shape(
            tf.py_function(lambda v: (read.append(1), v)[1], [a], a.dtype), [1]
        ), b

    some = MPerClass.from_dataset(
        tf.data.Dataset.from_tensor_slices((x, y)).map(decode),
        labels=y,
        classes_per_batch=2,
        samples_per_class=2,
    )
    assert len(read) <= 1  # to see whether samples can be fetched
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(4)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(some, steps_per_epoch=3, epochs=2, shuffle=False, verbose=0)
    assert len(history.history["loss"]) == 2


@pytest.mark.tensorflow
def test_bad_datasets():
    import tensorflow as tf

    y = np.arange(8) % 2
    good = tf.data.Dataset.from_tensor_slices((y, y))
    for bad in (good.batch(2).batch(2), good.repeat(), good.map(lambda x, y: x), good.take(0)):
        with pytest.raises(ValueError, match=r"`dataset` must be a finite, unbatched"):
            MPerClass.from_dataset(bad, classes_per_batch=2)
    shuffled = MPerClass.from_dataset(good.shuffle(8), y, classes_per_batch=2, samples_per_class=3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="in the same order every time"):
        list(shuffled.take(3))


def test_a_step_outside_the_epoch_is_refused():
    batches = MPerClass(np.arange(8), np.arange(8) % 2, 2, 2)
    for step in (-1, len(batches), 0.5):
        with pytest.raises(ValueError, match=r"MPerClass: `step` must be an integer in \[0, 2\)"):
            batches[step]
