"""Image files in an exported graph: turned, laid on white and scaled as for training."""

import io

import numpy as np
import pytest
from PIL import Image

from kcatalog.recipe.data.image_headers import ImageDetails
from kcatalog.recipe.data.pixels import read_image
from tests.recipe import tiny

pytestmark = pytest.mark.tensorflow
tf = pytest.importorskip("tensorflow")

DOWN, ACROSS = np.mgrid[:40, :30] / 40
SMOOTH = np.stack([255 * DOWN, 255 * ACROSS, 255 * (1 - DOWN)], -1).astype("uint8")
SHAPE = 12, 10, 3


@pytest.fixture(scope="module")
def decode():
    """Return the graph's pixels and those of training."""
    from kcatalog.recipe.export.decoding import decoded

    spec, graphs = tf.TensorSpec([None, *SHAPE], tf.uint8, name="image"), {}

    def decode(folder, content, integers=None):
        if integers not in graphs:
            info = tiny.info(input_name="image", details=ImageDetails(integers))
            signature = [tf.TensorSpec([None], tf.string)]
            graphs[integers] = tf.function(lambda files: decoded(files, spec, info), signature)
        (folder / "file").write_bytes(content)
        (ours,) = graphs[integers](tf.constant([content])).numpy()
        return ours.astype(int), read_image(folder / "file", SHAPE, integers).astype(int)

    return decode


def encoded(image, kind, **how):
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, kind, **how)
    return stream.getvalue()


def exif(orientation, little):
    """EXIF data as cameras write them: either byte order, other tags around the orientation."""
    order, mark = ("little", b"II*\0") if little else ("big", b"MM\0*")

    def number(value, size):
        return value.to_bytes(size, order)

    tags = {0x0100: 30, 0x0112: orientation, 0x0128: 2}
    rows = [number(tag, 2) + number(3, 2) + number(1, 4) + number(value, 2) + b"\0\0"
            for tag, value in tags.items()]  # fmt: skip
    return b"Exif\0\0" + mark + number(8, 4) + number(len(rows), 2) + b"".join(rows) + b"\0" * 4


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_files_are_turned_as_their_exif_data_say(decode, tmp_path, kind, orientation):
    how = {"quality": 95} if kind == "JPEG" else {}
    for little in (True, False):
        content = encoded(SMOOTH, kind, exif=exif(orientation, little), **how)
        ours, trained_on = decode(tmp_path, content)
        np.testing.assert_allclose(ours, trained_on, atol=3)
    upright, _ = decode(tmp_path, encoded(SMOOTH, kind, **how))
    assert (np.abs(ours - upright).max() > 30) == (orientation > 1)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB", "L"])
def test_transparency_is_laid_on_white(decode, tmp_path, mode):
    image, how = Image.fromarray(SMOOTH).convert("RGBA"), {}
    image.putalpha(Image.fromarray((255 * ACROSS / ACROSS.max()).astype("uint8")))
    if mode in ("RGB", "L", "P"):
        image = image.convert("RGB").convert(mode)
        colour = image.getpixel((3, 3))
        how = {"transparency": colour}
    else:
        image = image.convert(mode)
    ours, trained_on = decode(tmp_path, encoded(image, "PNG", **how))
    np.testing.assert_allclose(ours, trained_on, atol=2)


@pytest.mark.parametrize("integers", [None, (0.0, 4095.0), (0.0, 65535.0)])
def test_sixteen_bits_are_scaled_as_for_training(decode, tmp_path, integers):
    deep = (4000 * DOWN).astype("uint16")
    ours, trained_on = decode(tmp_path, encoded(deep, "PNG"), integers)
    np.testing.assert_allclose(ours, trained_on, atol=1)
    assert (ours.max() > 200) == (integers != (0.0, 65535.0))


@pytest.mark.parametrize("mode", ["1", "P", "CMYK"])
def test_few_colours_and_those_of_print(decode, tmp_path, mode):
    image, how = Image.fromarray(SMOOTH).convert(mode), {}
    if mode == "P":
        image, how = image.quantize(4), {"bits": 2}
    ours, trained_on = decode(tmp_path, encoded(image, "JPEG" if mode == "CMYK" else "PNG", **how))
    np.testing.assert_allclose(ours, trained_on, atol=5)


def test_exif_data_that_are_cut_off_or_lie_do_not_harm(decode, tmp_path):
    rng, whole = np.random.default_rng(0), exif(6, little=True)
    plain = encoded(SMOOTH, "JPEG")
    for _ in range(30):
        damaged = bytearray(whole[: rng.integers(6, len(whole))])
        damaged[rng.integers(6, max(7, len(damaged))) % len(damaged)] = rng.integers(256)
        segment = b"\xff\xe1" + (len(damaged) + 2).to_bytes(2, "big") + damaged
        ours, _ = decode(tmp_path, plain[:2] + segment + plain[2:])
        assert ours.shape[:2] == (12, 10)
