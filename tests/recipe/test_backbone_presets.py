"""`--backbone` with presets of keras-hub."""

import re
import sys

import keras
import keras_tuner
import numpy as np
import pytest

from kcatalog.recipe.monitoring.all_layers import all_layers
from kcatalog.recipe.terminal.errors import RecipeError
from kcatalog.recipe.training import backbone
from tests.recipe.scripts import imported
from tests.recipe.test_backbone import data

SCALE, OFFSET = [0.01, 0.02, 0.03], [-1.0, 0.0, 0.5]


@pytest.fixture(scope="module")
def hub():
    return pytest.importorskip("keras_hub")


@pytest.fixture(scope="module")
def folder(hub, tmp_path_factory):
    """A preset of a small network, whose blocks are layers that hold layers."""
    network = hub.models.MobileNetBackbone(
        stackwise_expansion=[[8]],
        stackwise_num_blocks=[1],
        stackwise_num_filters=[[8]],
        stackwise_kernel_size=[[3]],
        stackwise_num_strides=[[2]],
        stackwise_se_ratio=[[0.25]],
        stackwise_activation=[["relu"]],
        stackwise_padding=[[1]],
        input_num_filters=8,
        input_activation="relu",
        depthwise_filters=8,
        depthwise_stride=2,
        depthwise_residual=False,
        output_num_filters=8,
        output_activation="relu",
        last_layer_filter=8,
    )
    path = str(tmp_path_factory.mktemp("preset") / "small")
    network.save_to_preset(path)
    converter = hub.layers.ImageConverter((32, 32), SCALE, OFFSET)
    converter.save_to_preset(path)
    return path


def test_a_preset_with_its_preprocessing_is_part_of_the_model(hub, folder, tmp_path):
    some = data((16, 16, 3), backbone=folder)
    model = imported("image_cnn").build(keras_tuner.HyperParameters(), some)
    inside = model.get_layer("backbone")
    images = keras.Input((16, 16, 3), dtype="uint8")
    prepared = keras.Model(images, backbone.load(some).prepare(images))
    x = some.train[0].astype("float32")  # old versions of keras-hub round what they resize
    expected = hub.layers.ImageConverter.from_preset(folder)(x)
    np.testing.assert_allclose(prepared.predict(x, verbose=0), expected, atol=1e-4)
    original = hub.models.Backbone.from_preset(folder)
    features = [m.predict(expected, verbose=0) for m in (inside, original)]
    np.testing.assert_allclose(*features, atol=1e-4)

    normalizations = [x for x in all_layers(inside) if "BatchNormalization" in type(x).__name__]
    assert len(normalizations) > len([x for x in inside.layers if x in normalizations])
    assert not any(x.trainable_variables for x in normalizations)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    outputs = [m.predict(x, verbose=0) for m in (model, loaded)]
    np.testing.assert_allclose(*outputs, atol=1e-4)


def test_a_u_net_decodes_the_maps_of_a_preset(folder):
    """It keeps the size of the images, which is that of the masks."""
    some = data((32, 32, 1), "segmentation", backbone=folder)
    pretrained = backbone.load(some, pyramid=True)
    maps = pretrained(keras.Input((32, 32, 1)))
    assert [x.shape[1] for x in maps] == [32, 16, 8, 4]


@pytest.mark.once
def test_what_is_no_preset_of_images_is_refused(hub, folder, tmp_path):
    def refused(message, name, shape=(32, 32, 3), pyramid=False, **settings):
        with pytest.raises(RecipeError, match=message):
            backbone.load(data(shape, backbone=name, **settings), pyramid)

    refused("Received: 'resnet_18_imagnet'. Did you mean 'resnet_18_imagenet'", "resnet_18_imagnet")
    refused("small has weights. Leave out", folder, backbone_weights="w.h5")
    refused("cannot be loaded: .*config.json.* Give a folder that save_to_preset", str(tmp_path))
    path = str(tmp_path / "transformer")
    hub.models.ViTBackbone((32, 32, 3), (16, 16), 1, 1, 8, 8).save_to_preset(path)
    refused("image_converter.json.* Add what prepares its images", path)
    hub.layers.ImageConverter(scale=1 / 255).save_to_preset(path)
    refused("must have layers that make images smaller", path)
    refused(r"takes images of the shape \(32, 32, 3\). Received: \(64, 64, 3\)", path, (64, 64, 3))


@pytest.mark.once
@pytest.mark.filterwarnings("ignore:`build:UserWarning")  # old versions of keras-hub, new Keras
def test_a_preset_is_carried_to_where_there_is_no_network(hub, folder, tmp_path, monkeypatch):
    """A message says how; a folder stands here for what was downloaded."""
    name, path = "resnet_18_imagenet", str(tmp_path / "copy")

    def no_network(preset):
        raise ConnectionError("no connection to kaggle.com")

    with monkeypatch.context() as m:
        m.setattr(hub.layers.ImageConverter, "from_preset", no_network)
        with pytest.raises(RecipeError, match=r"no connection.* give a folder") as refused:
            backbone.load(data(backbone=name))
    advice = re.search(r"keras_hub\.\S+\(.*\)\.save_to_preset\(folder\)", str(refused.value))[0]
    eval(advice.replace(name, folder), {"keras_hub": hub, "folder": path})  # noqa: S307
    assert backbone.load(data((32, 32, 3), backbone=path)).model.output.shape[-1] == 8


@pytest.mark.once
def test_without_keras_hub_a_message_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    for name in (str(tmp_path), "hf://keras/resnet_18_imagenet", "resnet_18_imagenet"):
        with pytest.raises(
            RecipeError, match=r"not installed\. Install it with: pip install 'kcatalog.hub.'$"
        ):
            backbone.load(data(backbone=name))
