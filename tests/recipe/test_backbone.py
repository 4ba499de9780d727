"""`--backbone`: networks from files and from `keras.applications`, and how they are trained."""

import dataclasses

import keras
import keras_tuner
import numpy as np
import pytest
from keras import layers

from kcatalog.recipe.data import Data, Images, Pretrained, Speech
from kcatalog.recipe.terminal.errors import RecipeError
from kcatalog.recipe.training import backbone
from tests.recipe.scripts import imported

OWN = {"backbone", "backbone_weights", "head_epochs"}


def data(shape=(8, 8, 1), task="classification", **settings):
    x = np.random.default_rng(0).integers(0, 255, (8, *shape), "uint8")
    y = np.arange(8, dtype="int32") % 2
    if task == "segmentation":
        y = (x[..., 0] > 127).astype("int32")
    settings = {"backbone": None, "backbone_weights": None, "head_epochs": 1, **settings}
    return Data("some", task, "image", *[(x, y)] * 3, ("a", "b"), settings=settings)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A saved model of small images, with layers named as those of a recipe's head are."""
    images = keras.Input((8, 8, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255)(images)
    x = layers.BatchNormalization(name="batch_normalization")(layers.Conv2D(4, 3)(x))
    x = layers.Conv2D(6, 3, padding="same", activation="relu")(layers.MaxPooling2D()(x))
    model = keras.Model(images, layers.Dense(3, name="dense")(layers.Flatten()(x)))
    path = tmp_path_factory.mktemp("backbone") / "small.keras"
    model.save(path)
    return str(path)


def arrays(weights):
    return [keras.ops.convert_to_numpy(w) for w in weights]


def same(before, after):
    return [np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


@pytest.mark.slow
def test_the_head_learns_first_and_then_the_backbone_more_slowly(file, tmp_path):
    """Two steps are an epoch of so few samples. Batch normalization stays as it was."""
    some, hp = data(backbone=file), keras_tuner.HyperParameters()
    model = imported("image_cnn").build(hp, some)
    assert hp.values["backbone_rate"] == 0.01
    assert "filters" not in hp.values
    inside = model.get_layer("backbone")
    original = keras.models.load_model(file, compile=False)
    features = keras.Model(original.inputs[0], original.layers[-3].output)
    x, y = some.train
    np.testing.assert_allclose(inside(x), features(x), rtol=1e-5)

    model.run_eagerly = keras.backend.backend() != "jax"
    own = {id(w) for w in inside.weights}
    head = [w for w in model.weights if id(w) not in own]
    start = arrays(inside.weights), arrays(head)
    for _ in range(2):
        model.train_on_batch(x, y)
    first = arrays(inside.weights), arrays(head)
    assert all(same(start[0], first[0]))
    assert not all(same(start[1], first[1]))
    model.train_on_batch(x, y)
    changed = {
        w.path: np.abs(a - b).max()
        for w, a, b in zip(inside.weights, first[0], arrays(inside.weights), strict=True)
    }
    kept = [change for path, change in changed.items() if "batch_normalization" in path]
    assert kept == [0, 0, 0, 0]
    kernels = [change for path, change in changed.items() if "kernel" in path]
    assert 0 < 2 * kernels[0] < kernels[1]

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(x), model(x), atol=1e-5)
    assert loaded.optimizer.get_config() == model.optimizer.get_config()


@pytest.mark.slow
@pytest.mark.once
def test_a_model_of_keras_applications_with_weights_from_a_file(tmp_path):
    """A U-Net decodes its maps of each size, and grey images become ones of three channels."""
    make = keras.applications.MobileNetV3Small
    network = make(include_top=False, weights=None, input_shape=(32, 32, 3))
    weights = tmp_path / "some.weights.h5"
    network.save_weights(weights)
    how = {"backbone": "MobileNetV3Small", "backbone_weights": str(weights)}
    some = data((32, 32, 1), "segmentation", **how)
    model = imported("segmentation_unet").build(keras_tuner.HyperParameters(), some)
    inside = model.get_layer("backbone")
    assert [maps.shape[1] for maps in inside.outputs] == [32, 16, 8, 4, 2, 1]
    assert all(same(network.get_weights(), inside.get_weights()))
    assert model(some.test[0][:2]).shape == (2, 32, 32, 2)


@pytest.mark.once
def test_preprocessing_is_part_of_the_model(monkeypatch):
    """ResNet takes blue first, and colours without ImageNet's mean."""
    images = keras.Input((None, None, 3))
    small = keras.Model(images, layers.Conv2D(3, 1)(images))
    resnet = keras.applications.ResNet50

    def make(include_top, weights, input_shape):
        assert (include_top, weights, input_shape) == (False, "imagenet", (8, 8, 3))
        return small

    make.__module__ = resnet.__module__
    monkeypatch.setattr(keras.applications, "ResNet50", make)
    some = data((8, 8, 3), backbone="ResNet50")
    pretrained = backbone.load(some)
    entry = keras.Input((8, 8, 3), dtype="uint8")
    model = keras.Model(entry, pretrained(entry))
    x = some.train[0]
    small.layers[-1].kernel.assign(np.eye(3)[None, None])
    expected = keras.applications.resnet.preprocess_input(x.astype("float32"))
    np.testing.assert_allclose(model(x), expected, atol=1e-3)


@pytest.mark.once
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backbone_weights": "w.h5"}, "--backbone-weights needs the network: add --backbone NAME"),
        (
            {"backbone": "ResNet5"},
            "must be a .keras file, or .*Received: 'ResNet5'. Did you mean 'ResNet50'",
        ),
        ({"backbone": "no.keras"}, "--backbone no.keras: there is no such file"),
        ({"backbone": "VGG16", "backbone_weights": "w.h5"}, "weights w.h5: there is no such file"),
    ],
)
def test_what_is_not_there_is_named(settings, message):
    with pytest.raises(RecipeError, match=message):
        backbone.load(data(**settings))


@pytest.mark.once
def test_what_does_not_fit_is_refused(file, tmp_path, monkeypatch):
    def refused(message, some):
        with pytest.raises(RecipeError, match=message):
            backbone.load(some)

    other = data((9, 9, 1), backbone=file)
    refused(r"takes images of the shape \(8, 8, 1\). Received: \(9, 9, 1\)", other)
    refused("has weights. Leave out", data(backbone=file, backbone_weights="w.h5"))
    speech = dataclasses.replace(data(backbone=file), input_name="frames")
    refused("--backbone is for images. some holds frames", speech)
    broken = tmp_path / "broken.keras"
    broken.write_bytes(b"PK")
    refused("broken.keras cannot be loaded", data(backbone=str(broken)))
    flat = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2)])
    flat.save(tmp_path / "flat.keras")
    refused("must have layers that", data(backbone=str(tmp_path / "flat.keras")))
    nested = keras.Sequential([keras.Input((8, 8, 1)), flat])
    nested.save(tmp_path / "nested.keras")
    refused("must be one model of layers", data(backbone=str(tmp_path / "nested.keras")))
    refused("VGG16 cannot be made for images of 8 x 8", data((8, 8, 3), backbone="VGG16"))

    def no_network(**arguments):
        raise Exception("URL fetch failure on https://some.org/vgg.h5: None -- [Errno -2] unknown")

    monkeypatch.setattr(keras.applications, "VGG16", no_network)
    advice = "Download https://some.org/vgg.h5 where .* and add --backbone-weights FILE"
    refused(advice, data((64, 64, 3), backbone="VGG16"))


@pytest.mark.once
def test_the_options_reach_the_data():
    source = Pretrained(Images(size=32))
    assert source.options.keys() == {*Images.options, *OWN}
    given = source.configured({"size": 48, "backbone": "VGG16", "seed": 1})
    assert given.source.size == 48
    assert given.load().settings == {
        "backbone": "VGG16",
        "backbone_weights": None,
        "head_epochs": 3,
    }
    assert source.load().settings["backbone"] is None
    assert Pretrained(Speech()).default == Speech().default
