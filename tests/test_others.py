"""Parts of other packages: in the listing, for the tuner, and checked by their authors."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kcatalog import registry, source

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tests" / "other_package"


@pytest.fixture
def installed(tmp_path):
    """Run a program where the package is installed: with the metadata that pip would write."""
    copied = shutil.copytree(PACKAGE, tmp_path / "package")
    place = tmp_path / "site" / "speckled-0.1.0.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text("Metadata-Version: 2.1\nName: speckled\nVersion: 0.1.0\n")
    point = "[kcatalog.parts]\nspeckled = speckled\nnone = not_there\n"
    (place / "entry_points.txt").write_text(point)

    def run(*arguments):
        paths = (str(place.parent), str(copied), str(ROOT))
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_listed_and_shown_without_an_import(installed):
    done = installed("-m", "kcatalog", "list", "--text", "speckle", "--json")
    (part,) = json.loads(done.stdout)
    assert (part["path"], part["kind"]) == ("speckled.noise.Speckle", "layers")
    assert list(part["search_space"]) == ["scale"]
    assert "There is no package not_there" in done.stderr
    listed = installed("-m", "kcatalog", "list", "--kind", "layers").stdout
    assert "speckled: Speckle: an input times a number" in listed
    assert "1 of the 1 parts in speckled." in listed
    assert "y = s x" in installed("-m", "kcatalog", "show", "Speckle").stdout


@pytest.mark.slow
def test_chosen_by_the_tuner_and_checked_by_its_author(installed, tmp_path):
    (tmp_path / "choose.py").write_text(
        "import keras_tuner\n"
        "from kcatalog.recipe import tuning\n"
        "hp = keras_tuner.HyperParameters()\n"
        'print(type(tuning.choose(hp, "noise", ["speckled.noise.Speckle"])).__name__)\n'
        "print(sorted(hp.values))\n"
    )
    done = installed("choose.py")
    assert done.stdout.split("\n")[0] == "Speckle", done.stderr
    assert "scale" in done.stdout
    checked = installed("-m", "pytest", "-v", "package/test_speckled.py")
    assert checked.returncode == 0, checked.stdout[-2000:]
    assert "test_conformance[layers-Speckle-shapes_agree] PASSED" in checked.stdout
    assert "losses-Plain-" in checked.stdout


def test_a_class_whose_bases_say_no_kind_is_named():
    text = "@component()\nclass Odd(Base):\n    pass\n"
    with pytest.raises(
        source.SourceError, match=r"odd\.py, line 2, Odd: its kind is read from its"
    ):
        registry.read_source(text, None, Path("odd.py"), public="odd")


@pytest.mark.parametrize(
    ("base", "kind"),
    [
        ("keras.layers.Layer", "layers"),
        ("Loss", "losses"),
        ("kcatalog.losses.InBatchLoss", "losses"),
        ("schedules.LearningRateSchedule", "schedules"),
        ("keras.optimizers.schedules.LearningRateSchedule", "schedules"),
        ("Wrapper", "optimizers"),
        ("keras.utils.PyDataset", "samplers"),
    ],
)
def test_the_kind_is_that_of_the_base(base, kind):
    text = f"@component()\nclass Some({base}):\n    pass\n"
    (entry,) = registry.read_source(text, None, Path("some.py"), public="some")
    assert (entry.kind, entry.path, entry.origin) == (kind, "some.Some", "some")
