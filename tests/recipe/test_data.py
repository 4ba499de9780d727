"""Recipe data: defaults without a network, well-known sets, the user's own files, bad ones."""

import hashlib
import sys
import tracemalloc
import wave

import keras
import numpy as np
import pytest
from PIL import Image

from kcatalog.recipe.data import Data, Images, Labelled, Series, Speech, Text
from kcatalog.recipe.data.base import split
from kcatalog.recipe.data.images import picture as image_picture
from kcatalog.recipe.data.pixels import read_image
from kcatalog.recipe.data.recordings import read as read_wav
from kcatalog.recipe.data.speech import picture as speech_picture
from kcatalog.recipe.data.speech import waveform
from kcatalog.recipe.data.text import code_points
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe import tiny

# --- what all data have in common --------------------------------------------------------


def data(x=None, y=None, name="toy"):
    x = np.zeros((3, 2), "float32") if x is None else x
    y = np.array([0, 1, 1], "int32") if y is None else y
    good = (np.zeros((3, 2), "float32"), np.array([0, 1, 1], "int32"))
    return Data(name, "classification", "image", good, (x, y), good, ("a", "b"))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([[0, 0], [np.nan, 0], [0, 0]], None, r"toy, validation part.*NaN.*1 of 3.*index 1"),
        (None, [0, 1, -1], r"labels must be 0 to 1.*\[-1\] at index 2"),
        (None, [0, 1, 2], r"labels must be 0 to 1.*\[2\] at index 2"),
        (None, [0, 1], "3 samples, 2 labels"),
        (np.zeros((0, 2)), np.zeros(0, "int32"), "at least one sample"),
    ],
    ids=["NaN", "negative", "too high", "count", "none"],
)
def test_samples_that_are_not_data_are_named(x, y, message):
    with pytest.raises(RecipeError, match=message):
        data(*(a if a is None else np.array(a) for a in (x, y)))


def test_the_fingerprint_depends_on_content_and_split_alone():
    x = np.zeros((3, 2), "float32")
    x[0, 0] = 1e-6
    assert data().fingerprint == data(name="renamed").fingerprint
    assert data().fingerprint != data(x=x).fingerprint
    assert data().fingerprint != data(y=np.array([1, 0, 1], "int32")).fingerprint
    one, other = Images().load(seed=0), Images().load(seed=1)
    assert one.fingerprint != other.fingerprint
    assert one.fingerprint == Images().load("digits", seed=0).fingerprint


def test_a_split_holds_out_the_same_share_of_every_class():
    x, y = np.arange(63), np.repeat([0, 1, 2], [10, 50, 3])
    parts, others = (split(x, y, seed, validation=0.25) for seed in (0, 1))
    counts = {name: np.bincount(labels).tolist() for name, (_, labels) in parts.items()}
    assert counts == {"train": [6, 30, 1], "validation": [2, 10, 1], "test": [2, 10, 1]}
    assert sorted(np.concatenate([part for part, _ in parts.values()])) == x.tolist()
    np.testing.assert_array_equal(parts["test"][0], others["test"][0])
    assert not np.array_equal(parts["validation"][0], others["validation"][0])


@pytest.mark.parametrize("source", [Images(), Speech(), Text()], ids=lambda s: s.default)
def test_misspelt_names_and_missing_paths(source):
    with pytest.raises(RecipeError, match=f"Did you mean '{source.default}'"):
        source.load(source.default[:-1])
    with pytest.raises(RecipeError, match="'no/such/place', which is neither"):
        source.load("no/such/place")


@pytest.mark.parametrize(
    ("source", "module"), [(Images(), "sklearn.datasets"), (Series(), "pmdarima.datasets")]
)
def test_a_missing_package_says_how_to_install_it(source, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RecipeError, match=r'pip install "kcatalog\[recipes\]"'):
        source.load()


# --- images ------------------------------------------------------------------------------


def test_digits():
    loaded = Images().load()
    assert len(loaded.test[0]) == 359
    x = np.concatenate([part[0] for part in (loaded.train, loaded.validation, loaded.test)])
    assert x.shape == (1797, 8, 8, 1)
    assert (x.dtype, x.min(), x.max()) == (np.uint8, 0, 255)


@pytest.fixture
def pictures(tmp_path):
    """Cats are red, dogs are blue; sizes, formats and colour modes differ."""
    for name, color in {"cats": (255, 0, 0), "dogs": (0, 0, 255)}.items():
        (tmp_path / name).mkdir()
        for i in range(6):
            image = Image.new("RGB", (20 + i, 30), color)
            image.save(tmp_path / name / f"{i}.{'png' if i % 2 else 'bmp'}")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "cats" / "notes.txt").write_text("no image")
    return tmp_path


def test_a_folder_of_images(pictures):
    loaded = Images(size=16).load(pictures)
    assert (loaded.name, loaded.classes) == (pictures.name, ("cats", "dogs"))
    assert [len(part[0]) for part in (loaded.train, loaded.validation, loaded.test)] == [8, 2, 2]
    for x, y in (loaded.train, loaded.validation, loaded.test):
        assert x.shape[1:] == (16, 16, 3)
        np.testing.assert_array_equal(x[y == 0][..., 0], 255)
        np.testing.assert_array_equal(x[y == 1][..., 2], 255)
    assert loaded.picture(loaded.test[0][0]).shape == (64, 64, 3)


@pytest.mark.parametrize("turned", [False, True])
def test_a_large_photograph_is_seen_as_if_all_of_it_were_decoded(tmp_path, turned):
    down, across = np.mgrid[:480, :640] / 640
    waves = [np.sin(6 * down), np.cos(9 * across), np.sin(8 * down * across)]
    image = Image.fromarray((128 + 120 * np.stack(waves, -1)).astype("uint8"))
    exif = Image.Exif()
    if turned:
        exif[0x0112] = 6  # by a quarter
    image.save(tmp_path / "large.jpg", exif=exif)
    whole = Image.open(tmp_path / "large.jpg")
    whole = (whole.transpose(Image.Transpose.ROTATE_270) if turned else whole).resize((80, 80))
    pixels = read_image(tmp_path / "large.jpg", (80, 80, 3))
    difference = np.abs(pixels.astype(int) - np.asarray(whole))
    assert difference.any()  # less of it was decoded
    assert difference.mean() < 2


def test_folders_that_cannot_be_learned_from(pictures):
    with pytest.raises(RecipeError, match=r"Received: the file .*notes\.txt"):
        Images().load(pictures / "cats" / "notes.txt")
    (pictures / "birds").mkdir()
    (pictures / "birds" / "1.svg").write_text("<svg/>")
    with pytest.raises(RecipeError, match=r"'birds'.*at least 3 files.*Received: 0, and 1 \.svg"):
        Images().load(pictures)


def test_mnist_is_read_from_the_archive_keras_downloads(tmp_path, monkeypatch):
    rng, y = np.random.default_rng(0), np.arange(40) % 10
    x = rng.integers(0, 255, (40, 28, 28), "uint8")
    np.savez(tmp_path / "mnist.npz", x_train=x, y_train=y, x_test=x[:10], y_test=y[:10])
    module = sys.modules[keras.datasets.mnist.load_data.__module__]
    monkeypatch.setattr(module, "get_file", lambda *a, **k: str(tmp_path / "mnist.npz"))
    loaded = Images().load("mnist")
    assert loaded.input_shape == (28, 28, 1)
    assert [len(part[0]) for part in (loaded.train, loaded.validation, loaded.test)] == [30, 10, 10]
    np.testing.assert_array_equal(loaded.test[0][..., 0], x[:10])


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10"])
def test_downloaded_sets(name, monkeypatch):
    x, y = np.zeros((30, 32, 32, 3), "uint8"), (np.arange(30) % 10)[:, None]
    module = getattr(keras.datasets, name)
    monkeypatch.setattr(module, "load_data", lambda: ((x, y), (x, y)))
    loaded = Images().load(name)
    assert loaded.test[1].shape == (30,)
    assert loaded.input_shape == (32, 32, 3)
    assert len(loaded.classes) == 10
    monkeypatch.setattr(module, "load_data", lambda: ((x, y), (x, y + 1)))
    with pytest.raises(RecipeError, match=rf"{name}, test part: labels must be 0 to 9.*\[10\]"):
        Images().load(name)


def test_no_network_is_one_sentence(monkeypatch):
    def fail(*args, **kwargs):
        raise Exception("URL fetch failure: no route to host")

    module = sys.modules[keras.datasets.mnist.load_data.__module__]
    monkeypatch.setattr(module, "get_file", fail)
    with pytest.raises(RecipeError, match=r"mnist could not be downloaded.*no route.*'digits'"):
        Images().load("mnist")


# --- speech ------------------------------------------------------------------------------


def test_japanese_vowels_are_those_of_the_repository():
    """The digest was taken of the arrays that sktime 1.2.0 loads, in their official split."""
    data, digest = Speech().load(), hashlib.sha256()
    for array in (*data.train, *data.validation, *data.test):
        digest.update(np.ascontiguousarray(array).data)
    assert digest.hexdigest() == "14f52b0831abe81ea34664ebd74dfb3098aa9e8d0467557775ec85b9db04e4cd"
    other = Speech().load(seed=3)
    np.testing.assert_array_equal(other.test[0], data.test[0])
    assert len(other.train[0]) + len(other.validation[0]) == 270
    assert np.bincount(other.validation[1]).tolist() == [3] * 9
    assert data.picture(data.test[0][0]).shape == (60, 145, 3)


def write_wav(file, samples, rate=8000):
    """16-bit PCM by the standard library; (samples,) or (samples, channels)."""
    file.parent.mkdir(exist_ok=True)
    with wave.open(str(file), "wb") as stream:
        stream.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        stream.setsampwidth(2)
        stream.setframerate(rate)
        stream.writeframes(np.round(samples * 32767).astype("<i2").tobytes())
    return file


def tone(hertz, rate=8000, seconds=0.5):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


@pytest.fixture
def recordings(tmp_path):
    for name, hertz in {"high": 2000, "low": 200}.items():
        for i in range(5):
            write_wav(tmp_path / name / f"{i}.wav", tone(hertz + 10 * i, seconds=0.3 + i / 10))
    return tmp_path


def test_a_folder_of_recordings(recordings):
    source = Speech(rate=8000, seconds=0.5)
    loaded = source.load(recordings)
    assert (loaded.input_name, loaded.classes) == ("waveform", ("high", "low"))
    assert loaded.input_shape == (4000,)
    x = source.read([recordings / "low" / "2.wav"], loaded.info)
    np.testing.assert_allclose(x[0], tone(220), atol=1e-4)
    short = source.read([recordings / "low" / "0.wav"], loaded.info)[0]
    assert not short[2400:].any()
    assert loaded.picture(x[0]).shape[2] == 3


def test_sample_formats_and_rates_agree(tmp_path):
    from scipy.io import wavfile

    signal = tone(300)
    formats = {
        "pcm8": np.round(signal * 128 + 128).astype("uint8"),
        "pcm16": np.round(signal * 2**15).astype("int16"),
        "pcm32": np.round(signal * 2**31).astype("int32"),
        "float": signal.astype("float32"),
        "stereo": np.stack([2 * signal, 0 * signal], axis=1).astype("float32"),
    }
    for name, samples in formats.items():
        wavfile.write(tmp_path / "a.wav", 8000, samples)
        x = waveform(tmp_path / "a.wav", length=4000, rate=8000)
        np.testing.assert_allclose(x, signal, atol=0.005, err_msg=name)
    file = write_wav(tmp_path / "cd.wav", tone(300, rate=44_100), rate=44_100)
    x = waveform(file, rate=8000, length=4000)
    np.testing.assert_allclose(x[100:-100], signal[100:-100], atol=0.01)


def test_recordings_that_cannot_be_read_are_named(recordings):
    from scipy.io import wavfile

    broken = write_wav(recordings / "low" / "9.wav", np.zeros(0))
    with pytest.raises(RecipeError, match=r"9\.wav must hold sound"):
        Speech().load(recordings)
    for bad in (np.nan, np.inf, 1e300):  # the last one is infinite in single precision
        wavfile.write(broken, 8000, np.full(100, bad))
        with pytest.raises(RecipeError, match=r"9\.wav must hold finite samples.*NaN"):
            Speech().load(recordings)


@pytest.mark.parametrize("kind", ["int16", "float32"])
def test_a_recording_that_was_cut_off_is_named_wherever_it_ends(tmp_path, kind):
    from scipy.io import wavfile

    file = tmp_path / "cut.wav"
    wavfile.write(file, 8000, np.arange(40).reshape(20, 2).astype(kind))
    whole = file.read_bytes()
    assert len(read_wav(file)[0]) == 20
    for end in range(len(whole)):
        file.write_bytes(whole[:end])
        with pytest.raises(RecipeError, match=r"cut\.wav must (be a WAV file|hold sound)"):
            read_wav(file)


def test_recordings_of_unknown_length_or_with_tags_cut_off_are_read(tmp_path):
    """A program that writes while it records does not know the length yet."""
    file = write_wav(tmp_path / "odd.wav", tone(200))
    sound, unknown = file.read_bytes(), b"\xff" * 4
    file.write_bytes(sound[:4] + unknown + sound[8:40] + unknown + sound[44:])
    assert len(read_wav(file)[0]) == 4000
    tags, size = b"LIST" + (100).to_bytes(4, "little") + b"INFO", len(sound) + 100
    file.write_bytes(sound[:4] + size.to_bytes(4, "little") + sound[8:] + tags)
    assert len(read_wav(file)[0]) == 4000


def test_damaged_headers_are_named(tmp_path):
    rng, file = np.random.default_rng(0), tmp_path / "bad.wav"
    sound = write_wav(file, tone(200, seconds=0.01)).read_bytes()
    said = []
    for _ in range(150):
        damaged = bytearray(sound)
        damaged[rng.integers(0, 44)] = rng.integers(0, 256)
        file.write_bytes(damaged)
        try:
            read_wav(file)
        except RecipeError as e:
            said.append(str(e))
    assert len(said) > 50
    assert all(sentence.startswith(f"{file} must ") for sentence in said)


def test_recordings_are_not_held_in_memory(tmp_path):
    """Neither where they are checked, nor where the parts of the data are."""
    for i in range(150):
        write_wav(tmp_path / "ab"[i % 2] / f"{i}.wav", tone(200, seconds=2))
    Labelled(Images(), Speech(rate=8000)).load(tmp_path)  # what is imported remains
    tracemalloc.start()
    loaded = Labelled(Images(), Speech(rate=8000)).load(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    every = len(loaded.train[0]) * 16_000 * 8  # in double precision, as they are read
    assert peak < every / 2


def test_frames_to_predict_come_from_csv(tmp_path):
    info = tiny.info("classification", "frames", (29, 2))
    (tmp_path / "a.csv").write_text("1,2\n3,4\n")
    (tmp_path / "b.csv").write_text("5,6\n")
    x = Speech().read([tmp_path / "a.csv", tmp_path / "b.csv"], info)
    assert x.tolist() == [[[1, 2], [3, 4]], [[5, 6], [0, 0]]]
    wrong = {"1,2,3\n": "3 per line", "1,nan\n": "NaN", "1,x\n": "of numbers"}
    for content, reason in wrong.items():
        (tmp_path / "c.csv").write_text(content)
        with pytest.raises(RecipeError, match=reason):
            Speech().read([tmp_path / "c.csv"], info)


def test_small_images_and_silence_can_be_drawn():
    assert not np.any(speech_picture(np.zeros((4, 3), "float32")))
    drawn = image_picture(np.array([[0, 128], [255, 64]], "uint8")[..., None])
    assert (drawn.shape, drawn.dtype) == ((64, 64, 3), np.uint8)
    assert (drawn[0, 0, 0], drawn[0, -1, 1], drawn[-1, 0, 2]) == (0, 128, 255)


# --- text --------------------------------------------------------------------------------


def test_the_language_reference_is_split_in_order():
    loaded = Text().load()
    learned = sum(part[0].size for part in (loaded.train, loaded.validation))
    assert 0.89 < learned / (learned + loaded.test[0].size) < 0.91
    x, y = loaded.test
    assert x.shape == y.shape
    np.testing.assert_array_equal(code_points("".join(loaded.classes))[y[:, :-1]], x[:, 1:])
    ends, starts = y[:-1, -1], x[1:, 0]
    np.testing.assert_array_equal(code_points("".join(loaded.classes))[ends], starts)


def test_a_text_file(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("größe 🎲 " * 500, encoding="utf-8")
    loaded = Text(length=32, context=64).load(file)
    assert loaded.classes == tuple(sorted(set("größe 🎲 ")))
    assert loaded.train[0].max() == ord("🎲")
    assert loaded.train[1].max() == len(loaded.classes) - 1


def test_prompts_are_the_ends_of_files(tmp_path):
    file = tmp_path / "prompt.txt"
    file.write_text("abcdef", encoding="utf-8")
    assert Text(context=4).read([file], tiny.info()) == ["cdef"]
    file.write_text("")
    with pytest.raises(RecipeError, match=r"prompt\.txt must hold text"):
        Text().read([file], tiny.info())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("short", r"text\.txt must hold at least 2560 char.*Received: 5"),
        ("a" * 3000, r"different characters.*Received: 'a' 3,000 times"),
    ],
)
def test_texts_that_cannot_be_learned_from(tmp_path, content, message):
    (tmp_path / "text.txt").write_text(content)
    with pytest.raises(RecipeError, match=message):
        Text().load(tmp_path / "text.txt")
    with pytest.raises(RecipeError, match="cannot be read: Is a directory"):
        Text().load(tmp_path)


def test_what_is_found_in_a_text(tmp_path):
    file = tmp_path / "text.txt"
    file.write_bytes(("\ufeff" + "ab\r\n" * 1000 + "ç€").encode())
    data = Text().load(file)
    assert data.classes == ("\n", "a", "b", "ç", "€")
    found = {each.about: each for each in data.findings}
    assert found["line ends"].text == "CRLF or CR in 1,000 lines, read as LF"
    assert found["characters"].text == "3,002, 5 different ones"
    assert found["rare"].text == "2 seen once: 'ç', '€'"
    assert found["not learned"].text == "2 that only validation or test have: 'ç', '€'"
    assert found["not learned"].warning
    assert Text(context=4).read([file], data.info) == ["b\nç€"]
