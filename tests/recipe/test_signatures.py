"""Signatures of a SavedModel: arrays, files, tf.Examples, texts, and step by step."""

import io

import keras
import numpy as np
import pytest

from kcatalog.recipe import tasks
from kcatalog.recipe.data.pixels import read_image
from kcatalog.recipe.export import reduced, signatures
from kcatalog.recipe.export.check_export import AFTER
from kcatalog.recipe.export.stepwise import Stepwise
from kcatalog.recipe.tasks.classification import softmax
from tests.recipe import tiny

pytestmark = pytest.mark.tensorflow

CLASSES = list("abcdefg")
IMAGES = tiny.info("classification", "image", classes=CLASSES)
FRAMES = tiny.info("classification", "frames", classes=CLASSES)
TEXT = tiny.info("next-character", "characters", classes="\nabc")
RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (3, 6, 5, 3)).astype("uint8")
DARKER = np.outer(np.linspace(255, 0, 40), np.ones(30)).astype("uint8")
SMOOTH = np.stack([255 - DARKER, DARKER.T[:30].repeat(2, 0)[:40, :30], DARKER], axis=-1)


def load(folder):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))

    def ask(signature="serving_default", **inputs):
        outputs = loaded.signatures[signature](**{k: tf.constant(v) for k, v in inputs.items()})
        return {k: v.numpy() for k, v in outputs.items()}

    ask.model, ask.folder = loaded, folder
    return ask


@pytest.fixture(scope="module")
def image_model():
    inputs = keras.Input((6, 5, 3), dtype="uint8", name="image")
    x = keras.layers.Conv2D(8, 3)(keras.layers.Rescaling(1 / 255)(inputs))
    return keras.Model(inputs, 9 * keras.layers.Dense(7)(keras.layers.Flatten()(x)))


@pytest.fixture(scope="module")
def images(image_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("images") / "model"
    signatures.write(image_model, tasks.named(IMAGES.task), IMAGES, folder)
    return load(folder)


def encoded(picture, kind="PNG"):
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, kind)
    return stream.getvalue()


@pytest.mark.slow
def test_all_signatures_agree(images, image_model):
    import tensorflow as tf

    want = {"serving_default", "scores", "top_classes", "classify", "serving_bytes"}
    assert set(images.model.signatures) == want
    whole = images(image=PICTURES)
    np.testing.assert_allclose(whole["scores"], image_model(PICTURES), atol=1e-4)
    np.testing.assert_allclose(whole["probabilities"], softmax(whole["scores"]), atol=1e-6)
    order = np.argsort(-whole["probabilities"], axis=1)[:, :5]
    names = np.array([c.encode() for c in CLASSES], object)
    assert (whole["label"] == names[order[:, 0]]).all()
    np.testing.assert_array_equal(images("scores", image=PICTURES)["scores"], whole["scores"])
    top = images("top_classes", image=PICTURES)
    assert (top["top_labels"] == names[order]).all()
    files = images("serving_bytes", image_bytes=[encoded(p) for p in PICTURES])
    feature = {"image": tf.train.Feature(int64_list={"value": PICTURES[0].ravel().tolist()})}
    example = tf.train.Example(features={"feature": feature}).SerializeToString()
    classified = images("classify", inputs=[example])
    for key in top:
        np.testing.assert_array_equal(files[key], top[key])
    assert (files["label"] == whole["label"]).all()
    np.testing.assert_array_equal(files["probability"], top["top_probabilities"][:, 0])
    assert (classified["classes"] == top["top_labels"][:1]).all()
    np.testing.assert_allclose(classified["scores"], top["top_probabilities"][:1], atol=1e-6)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF"])
def test_files_of_another_size_are_scaled_as_for_training(images, tmp_path, kind):
    (tmp_path / "file").write_bytes(encoded(SMOOTH, kind))
    ours = images("serving_bytes", image_bytes=[(tmp_path / "file").read_bytes()])
    trained_on = read_image(tmp_path / "file", (6, 5, 3))
    want = images("top_classes", image=trained_on[None])
    np.testing.assert_allclose(ours["top_probabilities"], want["top_probabilities"], atol=0.02)


@pytest.fixture(scope="module")
def grey(tmp_path_factory):
    """A model that gives grey pixels back, as an embedding."""
    folder = tmp_path_factory.mktemp("grey") / "model"
    inputs = keras.Input((6, 5, 1), dtype="uint8", name="image")
    model = keras.Model(inputs, keras.layers.Flatten()(keras.ops.cast(inputs, "float32")))
    signatures.write(model, tasks.Embedding(), tiny.info("embedding", "image"), folder)
    return load(folder)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF"])
@pytest.mark.parametrize("colours", [False, True])
def test_grey_images_from_any_file(grey, tmp_path, kind, colours):
    picture = SMOOTH if colours else DARKER
    (tmp_path / "file").write_bytes(encoded(picture, kind))
    (got,) = grey("serving_bytes", image_bytes=[(tmp_path / "file").read_bytes()])["embedding"]
    trained_on = read_image(tmp_path / "file", (6, 5, 1)).ravel()
    np.testing.assert_allclose(got, trained_on, atol=1)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(6, 5, 3), (None, None, 3)])
def test_a_model_of_floats_takes_images_as_they_come(shape, tmp_path):
    """Keras's default for an input is float32; images are uint8."""
    inputs = keras.Input(shape, name="image")
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(7)(x))
    signatures.write(model, tasks.named(IMAGES.task), IMAGES, tmp_path / "model", dtype="uint8")
    ask, live = load(tmp_path / "model"), np.array(model(PICTURES))
    np.testing.assert_allclose(ask(image=PICTURES)["scores"], live, atol=1e-4)
    if None in shape:
        assert set(ask.model.signatures) == {"serving_default", "scores", "top_classes"}
        return
    best = ask("top_classes", image=PICTURES)["top_labels"]
    files = ask("serving_bytes", image_bytes=[encoded(p) for p in PICTURES])
    assert (files["top_labels"] == best).all()


@pytest.mark.parametrize("targets", [1, 2])
def test_numbers_for_tensorflow_servings_regress(targets, tmp_path):
    import tensorflow as tf

    inputs = keras.Input((2,), name="point")
    model = keras.Model(inputs, keras.layers.Dense(targets)(inputs))
    signatures.write(model, tasks.Regression(), tiny.info("regression"), tmp_path / "model")
    point = np.array([[1.0, 2.0]], "float32")
    feature = {"point": tf.train.Feature(float_list={"value": point[0].tolist()})}
    example = tf.train.Example(features={"feature": feature}).SerializeToString()
    got = load(tmp_path / "model")("regress", inputs=[example])["outputs"]
    np.testing.assert_allclose(got, np.array(model(point))[:, 0] if targets == 1 else model(point))


def test_what_is_no_image(images):
    import tensorflow as tf

    with pytest.raises(tf.errors.InvalidArgumentError, match="image"):
        images("serving_bytes", image_bytes=[b"not an image"])


def test_examples_of_any_length(tmp_path):
    import tensorflow as tf

    inputs = keras.Input((None, 2), name="frames")
    x = keras.layers.LSTM(3)(keras.layers.Masking()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(7)(x))
    signatures.write(model, tasks.Classification(), FRAMES, tmp_path / "model")
    ask, frames = load(tmp_path / "model"), RNG.normal(size=(1, 4, 2)).astype("float32")

    def example(x):
        feature = {"frames": tf.train.Feature(float_list={"value": x.ravel().tolist()})}
        return tf.train.Example(features={"feature": feature}).SerializeToString()

    got = ask("classify", inputs=[example(frames[:, :3]), example(frames)])
    for row, steps in enumerate((3, 4)):
        want = ask("top_classes", frames=frames[:, :steps])
        np.testing.assert_allclose(got["scores"][row], want["top_probabilities"][0], atol=1e-6)


def test_texts_to_labels(tmp_path):
    """A model that takes strings: its vocabulary travels with it."""
    lookup = keras.layers.TextVectorization(vocabulary=["good", "bad"], output_mode="multi_hot")
    inputs = keras.Input((), dtype="string", name="text")
    model = keras.Model(inputs, keras.layers.Dense(2)(lookup(inputs)))
    model.layers[-1].set_weights([np.array([[0, 0], [1, 0], [0, 1.0]]), np.zeros(2)])
    info = tiny.info("classification", "text", classes=["praise", "blame"])
    for name, context in (("plain", {}), ("small", {"weights": reduced.weights(model, "float16")})):
        signatures.write(model, tasks.named(info.task), info, tmp_path / name, **context)
        ask = load(tmp_path / name)
        assert ask(text=["so bad", "very good"])["label"].tolist() == [b"blame", b"praise"]
        assert set(ask.model.signatures) == {"serving_default", "scores", "top_classes"}


@pytest.fixture(scope="module")
def text_model():
    inputs = keras.Input((None,), dtype="int32", name="characters")
    ids = keras.ops.where((inputs >= 97) & (inputs <= 99), inputs - 96, 0)
    x = keras.layers.LSTM(6, return_sequences=True, name="lstm")(keras.layers.Embedding(4, 8)(ids))
    return keras.Model(inputs, keras.layers.Dense(4)(x))


@pytest.mark.slow
def test_texts_can_be_read_at_once_and_on_from_a_state(text_model, tmp_path):
    signatures.write(
        text_model, tasks.named(TEXT.task), TEXT, tmp_path / "model", stepwise=Stepwise(text_model)
    )
    ask = load(tmp_path / "model")
    answers = ask(text=["abc", "a", "", "abcabcabca", "bé", b"b\xff"])["probabilities"]
    for text, p in zip(["abc", "a", "\n", "abcabcabca", "bé", "b\ufffd"], answers, strict=True):
        codes = np.array([[ord(c) for c in text]], "int32")
        live = softmax(np.array(text_model(codes))[0, -1])
        np.testing.assert_allclose(p, live, atol=1e-6, err_msg=text)
    zeros = {f"lstm_state{i}": np.zeros((3, 6), "float32") for i in range(2)}
    begun = ask("step", text=["abca", "b", ""], **zeros)
    states = {name: begun[AFTER + name] for name in zeros}
    gone_on = ask("step", text=["c", "ca", "a"], **states)
    for got, texts in ((begun, ["abca", "b", "\n"]), (gone_on, ["abcac", "bca", "\na"])):
        want = ask(text=texts)["probabilities"]
        np.testing.assert_allclose(got["probabilities"], want, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "room", "error"), [("float16", 2, 2**-11), ("int8", 4, 1 / 254)])
def test_smaller_weights(image_model, images, tmp_path, kind, room, error):
    """Kernels take a half or a quarter of the room, and are off by half a unit at most."""
    weights = reduced.weights(image_model, kind)
    before = [np.array(w) for w in image_model.get_weights()]
    with weights():
        inside = [np.array(v.value) for v in image_model.variables]
    for a, b in zip(before, inside, strict=True):
        top = np.max(np.abs(a), axis=tuple(range(a.ndim - 1)), keepdims=True)
        assert (np.abs(a - b) <= (1 + 1e-3) * error * top).all()
        assert a.ndim >= 2 or (a == b).all()
    task, folders = tasks.named(IMAGES.task), (images.folder, tmp_path / "model")
    signatures.write(image_model, task, IMAGES, folders[1], weights=weights)
    sizes = [
        (folder / "variables" / "variables.data-00000-of-00001").stat().st_size
        for folder in folders
    ]
    kernels = sum(a.nbytes for a in before if a.ndim >= 2)
    assert sizes[0] - sizes[1] == pytest.approx(kernels * (1 - 1 / room), rel=0.2)
    assert sizes[0] < 1.2 * sum(a.nbytes for a in before) + 2000  # no weight is there twice
    plain, small = (ask(image=PICTURES)["scores"] for ask in (images, load(folders[1])))
    assert 0 < np.abs(plain - small).max() < 0.05 * np.abs(plain).max()


def test_arrays_and_graphs_name_outputs_alike():
    outputs = RNG.normal(size=(2, 4)).astype("float32")
    for task in (tasks.Classification(), tasks.Embedding()):
        named = {k: np.array(v) for k, v in task.named(outputs).items()}
        want = task.expected(outputs)
        assert named.keys() == want.keys()
        for key in want:
            np.testing.assert_allclose(named[key], want[key], atol=1e-6)
        np.testing.assert_array_equal(task.outputs(want), outputs)


def test_text_requests_and_answers_match():
    codes, logits = np.array([[97, 98, 99], [99, 10, 97]], "int32"), RNG.normal(size=(2, 3, 4))
    assert tasks.NextCharacter().request(codes).tolist() == ["abc", "c\na"]
    answer = tasks.NextCharacter().expected(logits)["probabilities"]
    np.testing.assert_allclose(answer, softmax(logits[:, -1]), atol=1e-6)


def test_scores_of_probabilities_are_those_of_the_logits():
    logits, labels = RNG.normal(size=(2, 5, 4)), RNG.integers(0, 4, (2, 5))
    task = tasks.NextCharacter()
    answers = {"probabilities": softmax(logits)}
    score = task.score(labels, task.outputs(answers))
    assert score == pytest.approx(task.score(labels, logits))
