"""Segmentation: folders of masks, the score against plain loops, and the whole way."""

import json

import keras
import numpy as np
import pytest
import threadpoolctl
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kcatalog.recipe import Recipe
from kcatalog.recipe.data import Masks
from kcatalog.recipe.data.masks import scenes
from kcatalog.recipe.tasks import Segmentation, baselines
from kcatalog.recipe.tasks.segmentation import confusion, mean_iou
from kcatalog.recipe.terminal.errors import RecipeError


def folder(path, values, count=8, edge=16):
    """A folder of images whose left half is of one class and whose right half is of another."""
    for name in ("images", "masks"):
        (path / name).mkdir(parents=True)
    for i in range(count):
        mask = np.full((edge, edge), values[0], "uint8")
        mask[:, edge // 2 :] = values[1 + i % (len(values) - 1)]
        Image.fromarray(np.repeat(mask[..., None], 3, -1)).save(path / "images" / f"{i}.png")
        Image.fromarray(mask).save(path / "masks" / f"{i}.png")
    return path


def test_reference_mean_iou():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 4, (2, 3, 5, 5))
    ious = []
    for c in range(5):  # the last one occurs nowhere
        both = sum(a == c and b == c for a, b in zip(y.flat, p.flat, strict=True))
        either = sum(a == c or b == c for a, b in zip(y.flat, p.flat, strict=True))
        if either:
            ious.append(both / either)
    assert mean_iou(confusion(y, p, 5)) == pytest.approx(np.mean(ious))
    metric = keras.metrics.MeanIoU(5)
    assert float(metric(y, p)) == pytest.approx(np.mean(ious), abs=1e-6)
    assert Segmentation().score(y, np.eye(5)[p]) == pytest.approx(np.mean(ious))


@pytest.mark.parametrize(
    ("values", "classes"),
    [((0, 255), ("background", "foreground")), ((0, 1, 2), ("class 0", "class 1", "class 2"))],
)
def test_a_folder_of_masks(tmp_path, values, classes):
    data = Masks(size=16).load(folder(tmp_path / "own", values))
    assert data.classes == classes
    assert [len(part[0]) for part in (data.train, data.validation, data.test)] == [5, 1, 2]
    for x, y in (data.train, data.validation, data.test):
        right = np.rint(np.asarray(x)[:, :, -1, 0] / max(values) * (len(classes) - 1))
        assert np.array_equal(y[:, :, -1], right)  # image and mask stay together
        assert not y[:, :, 0].any()


def said(data, about=""):
    return [f.text for f in data.findings if about in ("", f.about)]


def test_a_split_of_masks_is_kept(tmp_path):
    for part, count in {"train": 5, "val": 2, "test": 3}.items():
        folder(tmp_path / part, (0, 255), count)
    data = Masks(size=16).load(tmp_path)
    assert [len(x) for x, _ in (data.train, data.validation, data.test)] == [5, 2, 3]
    assert said(data, "split") == ["as the folders are: train, validation, test"]
    assert said(data, "masks")[0] == "shares of the pixels: background 50.0%, foreground 50.0%"


def test_masks_of_another_size_are_said_or_refused(tmp_path):
    path = folder(tmp_path / "own", (0, 2))
    Image.new("RGB", (32, 32)).save(path / "images" / "3.png")
    (path / "images" / "readme.txt").write_text("about")
    texts = said(Masks(size=16).load(path))
    assert "1 masks of other sizes than their images, of the same shape" in texts
    assert "no pixel is of class 1" in texts
    assert "1 .txt: not read as images" in texts
    Image.new("L", (32, 16)).save(path / "masks" / "3.png")
    with pytest.raises(RecipeError, match=r"shape of its image, 32x32\. Received: 32x16"):
        Masks(size=16).load(path)


def test_names_of_classes(tmp_path):
    path = folder(tmp_path / "two", (0, 255))
    (path / "classes.txt").write_text("\ufeffroad\ncar\n", encoding="utf-8")
    data = Masks(size=16).load(path)
    assert data.classes == ("road", "car")
    assert data.train[1].max() == 1
    assert said(data, "left out") == []
    path = folder(tmp_path / "own", (0, 1))
    (path / "classes.txt").write_text("road\ncar\nsky\n", encoding="utf-8")
    assert Masks(size=16).load(path).classes == ("road", "car", "sky")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: (p / "masks" / "0.png").unlink(), r"1 of 8 images have none \(0.png\)"),
        (lambda p: (p / "images" / "1.png").unlink(), r"1 of 8 masks have none \(1.png\)"),
        (
            lambda p: (p / "masks" / "2.png").rename(p / "masks" / "2.jpg"),
            r"have none \(2.png\).*Not read \(masks/2.jpg\): masks must be PNG files",
        ),
        (lambda p: (p / "images").rename(p / "pictures"), "the subfolders `images` and `masks`"),
        (lambda p: (p / "classes.txt").write_text("road\n"), "below the 1 classes. Received: 2"),
        (
            lambda p: Image.new("RGB", (16, 16)).save(p / "masks" / "3.png"),
            "one class number a pixel",
        ),
        (
            lambda p: Image.new("L", (16, 16), 200).save(p / "masks" / "3.png"),
            "Received: the values 0, 1, 2, 200",
        ),
    ],
)
def test_masks_that_cannot_be_meant_are_refused(tmp_path, spoil, message):
    path = folder(tmp_path / "own", (0, 1, 2))
    spoil(path)
    with pytest.raises(RecipeError, match=message):
        Masks(size=16).load(path)


def test_scenes_are_the_same_every_time():
    digit = np.zeros((1, 8, 8))
    digit[:, 2:6, 3:5] = 16
    ground = np.random.default_rng(1).integers(0, 255, (60, 60, 3), "uint8")
    (x, y), (again, _) = scenes(digit, [ground]), scenes(digit, [ground])
    assert np.array_equal(x, again)
    ink = y.sum()
    assert 4 * 2 * 9 * 0.7 < ink < 4 * 2 * 9 * 1.3  # 8 pixels, each three times as wide and high
    assert x.shape == (1, 48, 48, 3)


def test_the_pixel_classifier_learns_colours(tmp_path):
    data = Masks(size=16).load(folder(tmp_path / "own", (0, 1)))
    with threadpoolctl.threadpool_limits(1):  # more threads wait for each other on few samples
        assert baselines.pixel_classifier(data)[1] == pytest.approx(1)


@pytest.mark.tensorflow
def test_whole_way(call, tmp_path):
    path = folder(tmp_path / "own", (0, 1, 2), count=12)

    def build(hp, data):
        images = keras.Input(data.input_shape, dtype="uint8", name=data.input_name)
        x = keras.layers.Rescaling(1 / 2)(images)
        x = keras.layers.Conv2D(8, 1, activation="tanh")(x)
        model = keras.Model(images, keras.layers.Dense(len(data.classes))(x))
        iou = keras.metrics.MeanIoU(len(data.classes), sparse_y_pred=False, name="mean_iou")
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.03), loss, metrics=[iou])
        return model

    settings = {"epochs": 12, "batch_size": 1}
    recipe = Recipe("tiny", Masks(size=16), build, lambda data: ("none", 0.0), **settings)
    for step in (["train", "--data", path], ["export"]):
        done = call(*step, recipe=recipe)
        assert done.code == 0, done.err
    run = tmp_path / "runs" / "tiny" / "1"
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["measure"] == "mean IoU"
    assert metrics["test"] > 0.9

    import tensorflow as tf

    served = tf.saved_model.load(str(tmp_path / "saved_models" / "tiny" / "1"))
    image = np.asarray(Image.open(path / "images" / "0.png"))[None]
    mask = served.signatures["serving_default"](image=tf.constant(image))["mask"].numpy()
    assert mask.shape == (1, 16, 16)
    assert np.mean(mask[0] == np.asarray(Image.open(path / "masks" / "0.png"))) > 0.9
    board = EventAccumulator(str(run / "logs" / "test")).Reload()
    assert "masks" in board.Tags()["tensors"]
    answer = call("predict", path / "images" / "0.png", recipe=recipe)
    assert answer.code == 0
    assert "class 1" in answer.out
