"""Findings: the block about the data that a run prints before the first trial."""

import pytest
from PIL import Image

from kcatalog.recipe.data import Images
from kcatalog.recipe.data.findings import duplicates, of_split
from kcatalog.recipe.files.rundir import read_json
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe import tiny


@pytest.fixture
def folder(tmp_path, rng):
    """Two classes of six pictures each."""
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(6):
            pixels = rng.integers(0, 255, (8, 8, 3)).astype("uint8")
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    return tmp_path


def test_samples_and_classes_are_counted():
    samples, classes = of_split(tiny.recipe.load())
    assert samples.text == "160: 96 to train, 32 to validate, 32 to test"
    assert classes.text == "2: left 80, right 80"


def test_the_same_picture_in_two_classes_is_named(folder):
    source = Images(size=8)
    data = source.load(folder)
    data.decode()
    assert duplicates(data) == []
    (folder / "dog" / "0.png").write_bytes((folder / "cat" / "3.png").read_bytes())
    data = source.load(folder)
    data.decode()
    (found,) = duplicates(data)
    assert found.warning
    assert found.text.startswith(
        "1 file has the same content as another; 1 content in different classes, such as "
    )
    assert "cat/3.png and dog/0.png" in found.text or "dog/0.png and cat/3.png" in found.text


def test_all_files_that_cannot_be_decoded_are_named_at_once(folder):
    names = [folder / "cat" / "1.png", folder / "dog" / "5.png"]
    for name in names:
        name.write_bytes(name.read_bytes()[:70])
    with pytest.raises(RecipeError) as raised:
        Images(size=8).load(folder).decode()
    assert all(str(name) in str(raised.value) for name in names)


@pytest.mark.slow
def test_the_block_is_printed_and_recorded(call):
    done = call("tune", "--trials", 1, "--trial-epochs", 1)
    assert "samples  160: 96 to train, 32 to validate, 32 to test" in done.out
    assert "model    22 parameters by default, 6 steps an epoch" in done.out
    found = read_json(done.run / "record.json")["findings"]
    record = {each["about"]: each["text"] for each in found}
    assert record["classes"] == "2: left 80, right 80"
    resumed = call("tune", "--trials", 1, "--resume")
    assert "to validate" not in resumed.out
