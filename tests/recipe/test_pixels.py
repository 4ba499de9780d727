"""Pixels: what a person sees in a file is what the network gets, or the difference is said."""

import dataclasses
import warnings

import numpy as np
import pytest
from PIL import Image

from kcatalog.recipe.data import Images, Labelled, Speech, pixels
from kcatalog.recipe.data.image_headers import ImageDetails, read_header
from kcatalog.recipe.data.info import DataInfo
from kcatalog.recipe.data.pixels import read_image
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe import tiny
from tests.recipe.test_folders import said, tree

RAMP = np.tile(np.linspace(0, 1, 16), (16, 1))


def folder(tmp_path, images, save=".tif"):
    """Two classes of three images each."""
    for i, image in enumerate(images):
        place = tmp_path / "ab"[i % 2]
        place.mkdir(exist_ok=True)
        (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(
            place / f"{i}{save}"
        )
    return tmp_path


def every(data):
    """All samples, by their files' names."""
    parts = (data.train[0], data.validation[0], data.test[0])
    return {x.shelf.paths[p].stem: x.shelf.sample(p) for x in parts for p in x.places}


@pytest.mark.parametrize(
    ("values", "scale", "text"),
    [
        ((4000 * RAMP).astype("uint16"), 4095, "0..4095"),
        ((65000 * RAMP).astype("uint16"), 65535, "0..65535"),
        ((100_000 * RAMP).astype("int32"), 131_071, "0..131071"),
        ((1.0 * RAMP).astype("float32"), 1, "0..1"),
        ((255 * RAMP).astype("float32"), 255, "0..255"),
        ((0.01 * RAMP).astype("float32"), 1 / 64, "0..0.015625"),
    ],
    ids=["12 bits", "16 bits", "32 bits", "0 to 1", "0 to 255", "faint"],
)
def test_more_than_eight_bits_are_scaled_by_what_the_folder_holds(tmp_path, values, scale, text):
    kind = "floats" if values.dtype == "float32" else "integers"
    darker = (values // 2 if kind == "integers" else values / 2).astype(values.dtype)
    path = folder(tmp_path, [values, *[darker] * 5])
    data = Images(size=16).load(path)
    samples = every(data)
    want = np.rint(values * (255 / scale))
    np.testing.assert_allclose(samples["0"][..., 0], want, atol=1)
    np.testing.assert_allclose(samples["1"][..., 0], want // 2, atol=1)  # by one rule
    assert said(data, "pixels") == [f"6 files of {kind}, scaled from {text} to 0..255"]
    info = DataInfo.from_record(data.info.to_record(), ImageDetails)
    predicted = Images(size=16).read([path / "b" / "1.tif"], info)
    np.testing.assert_array_equal(predicted[0], samples["1"])


def test_negative_values_keep_their_place(tmp_path):
    values = (3000 * RAMP - 1000).astype("int32")
    data = Images(size=16).load(folder(tmp_path, [values] * 6))
    assert said(data, "pixels") == ["6 files of integers, scaled from -1000..2000 to 0..255"]
    assert every(data)["0"][0, [0, -1], 0].tolist() == [0, 255]


def test_a_file_of_more_bits_than_were_trained_on_is_scaled_by_itself(tmp_path):
    Image.fromarray((4000 * RAMP).astype("uint16")).save(tmp_path / "deep.png")
    for details in (ImageDetails(), Images.Details(), tiny.info().details):
        info = tiny.info(input_shape=(16, 16, 1), details=details)
        assert Images().read([tmp_path / "deep.png"], info).max() == 249


def test_notes_on_files_to_predict(tmp_path):
    Image.fromarray((4000 * RAMP).astype("uint16")).save(tmp_path / "deep.png")
    Image.new("L", (16, 16)).save(tmp_path / "plain.png")
    frames = [Image.new("L", (16, 16), 99 * i) for i in range(3)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    files = [tmp_path / name for name in ("deep.png", "plain.png", "film.gif")]
    info = tiny.info(input_name="image", details=ImageDetails((0.0, 1023.0)))
    (deep, plain, film) = Images().notes(files, info)
    assert deep["note"] == "values beyond 0..1023, the range that the model has learned from"
    assert plain == {}
    assert film["note"] == "the first of several frames or pages"
    (deep, *_) = Images().notes(files, tiny.info())
    assert deep["note"].startswith("more than 8 bits")


def test_sixteen_bits_of_colour_are_said(tmp_path):
    import tensorflow as tf

    path = folder(tmp_path, [Image.new("RGB", (16, 16), (i, 0, 0)) for i in range(6)], ".png")
    pixels = (65535 * np.stack([RAMP] * 3, -1)).astype("uint16")
    (path / "a" / "0.png").write_bytes(tf.io.encode_png(pixels).numpy())
    (found,) = Images(size=16).load(path).findings
    assert found.text == "1 file of 16 bits a channel, read as the upper 8"
    assert found.warning


def test_pixels_that_are_no_numbers_are_refused(tmp_path):
    values = RAMP.astype("float32")
    path = folder(tmp_path, [values] * 6)
    values[0, 0] = np.nan
    for name in ("a/0.tif", "b/1.tif"):
        Image.fromarray(values).save(path / name)
    with pytest.raises(RecipeError, match=r"(?s)2 files.*0\.tif must hold finite.*1\.tif must"):
        Images().load(path)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize("channels", [1, 3])
def test_transparency_is_laid_on_white(tmp_path, mode, channels):
    black = np.repeat([0, 255], 128).reshape(16, 16).astype("uint8")  # above, below nothing
    if mode == "P":
        image = Image.fromarray(black // 255, "P")
        image.putpalette([0, 0, 0, 9, 9, 9])
        image.save(tmp_path / "x.png", transparency=1)
    else:
        image = Image.new(mode, (16, 16))
        image.putalpha(Image.fromarray(255 - black))
        image.save(tmp_path / "x.png")
    x = read_image(tmp_path / "x.png", (16, 16, channels))
    assert (x[:5].max(), x[-5:].min()) == (0, 255)


def test_what_is_done_to_pixels_is_said_with_its_count(tmp_path):
    colour = Image.new("RGB", (16, 16), "red")
    frames = [Image.new("L", (16, 16), 99 * i) for i in range(3)]
    path = folder(tmp_path, [colour.convert("RGBA")] * 2 + [colour] * 4, ".png")
    colour.convert("CMYK").save(path / "a" / "print.jpg")
    frames[0].save(path / "a" / "film.gif", save_all=True, append_images=frames[1:])
    colour.save(path / "b" / "pages.tif", save_all=True, append_images=[colour])
    exif = Image.Exif()
    exif[pixels.TURNED] = 6
    Image.new("RGB", (20, 10)).save(path / "b" / "turned.jpg", exif=exif)
    data = Images(size=8, channels=1).load(path)
    assert said(data) == [
        "from 16x16 and 1 other size to 8x8, stretched by up to 2 to 1",
        "2 files with transparency, laid on white",
        "1 file turned as the EXIF data say",
        "2 files with several frames or pages, read the first",
        "1 file in CMYK, converted to RGB",
        "9 files in colour, made grey",
    ]
    assert read_header(path / "b" / "turned.jpg").size == (10, 20)


def test_images_of_the_right_size_are_not_worth_a_word(tmp_path):
    assert said(Images(size=8).load(tree(tmp_path, "cat", "dog"))) == []


def test_the_aspect_ratio_is_said_where_it_changes(tmp_path):
    path = folder(tmp_path, [Image.new("L", (48, 16)), *[Image.new("L", (32, 32))] * 5], ".png")
    data = Images(size=16, channels=1).load(path)
    (found,) = data.findings
    assert found.text == "from 32x32 and 1 other size to 16x16, stretched by up to 3 to 1"
    assert found.warning


def test_huge_files_are_shrunk_while_they_are_decoded_or_refused(tmp_path, monkeypatch):
    Image.new("1", (15_000, 12_000)).save(tmp_path / "large.png")
    with pytest.raises(RecipeError, match=r"at most 178 megapixels.*15000x12000"):
        read_header(tmp_path / "large.png")
    monkeypatch.setattr(pixels, "MOST_PIXELS", 5000)
    Image.new("L", (100, 80), 77).save(tmp_path / "huge.jpg")
    Image.new("L", (100, 80), 77).save(tmp_path / "huge.png")
    assert read_header(tmp_path / "huge.jpg").size == (100, 80)
    assert read_image(tmp_path / "huge.jpg", (8, 8, 1)).max() == 77
    for read in (read_header, lambda file: read_image(file, (8, 8, 1))):
        with pytest.raises(RecipeError, match=r"huge\.png must have at most .*100x80.*smaller"):
            read(tmp_path / "huge.png")
    Image.open(tmp_path / "huge.png").resize((50, 40)).save(tmp_path / "huge.png")
    assert read_image(tmp_path / "huge.png", (8, 8, 1)).max() == 77


def test_damaged_exif_data_turn_nothing_and_print_nothing(tmp_path):
    whole = Image.Exif()
    whole[pixels.TURNED] = 6
    data = whole.tobytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for end in range(6, len(data), 3):
            Image.new("RGB", (20, 10)).save(tmp_path / "x.jpg", exif=data[:end])
            assert read_header(tmp_path / "x.jpg").size in ((20, 10), (10, 20))
            read_image(tmp_path / "x.jpg", (8, 8, 3))


def test_old_manifests_are_read():
    old = tiny.info("classification", "image", (8, 8, 3), ["a", "b"]).to_record()
    for source in (Images(), Labelled(Images(), Speech())):
        assert DataInfo.from_record(old, source.Details).details.integers is None
    new = tiny.info(input_name="image", details=ImageDetails((0.0, 4095.0))).to_record()
    info = DataInfo.from_record(new, Labelled.Details)
    assert info.details.integers == (0.0, 4095.0)
    assert dataclasses.asdict(info.details)["floats"] is None
