"""Recipes of the user's own: the scripts in the documentation do what the page says."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kcatalog.recipe import tasks
from kcatalog.recipe.export import loading
from kcatalog.recipe.serve import app
from kcatalog.recipe.tasks import Task
from tests.recipe.scripts import imported

PAGE = (Path(__file__).parents[2] / "docs" / "own_recipe.md").read_text(encoding="utf-8")
RENT, BIRDS, SENSORS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(REQUEST,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
(HEAD,) = re.findall(r"((?:    area.*\n)(?:    [\d.]+,.*\n)+)", PAGE)


def script(text, folder, name):
    """Return a documented script, imported from a file in the folder."""
    assert text.count("\n") <= 50
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return imported(name, folder)


def flats(rows=60):
    """The lines on the page, and more like them."""
    header, *shown = [line.strip() for line in HEAD.strip().splitlines()]
    rng = np.random.default_rng(0)
    for i in range(rows):
        area, district = 30 + rng.random() * 90, ("north", "harbour", "old town")[i % 3]
        built = f"{1950 + i}-0{1 + i % 9}-15"
        shown.append(f"{area:.1f},{1 + i % 4},{district},{built},{round(15 * area)}")
    return "\n".join([header, *shown]) + "\n"


@pytest.mark.tensorflow
def test_the_documented_recipe_goes_from_a_csv_file_to_a_served_model(call, one_process, tmp_path):
    (tmp_path / "flats.csv").write_text(flats(), encoding="utf-8")
    recipe = script(RENT, tmp_path, "rent").recipe
    for step in (("train", "--epochs", "2"), ("evaluate",), ("export",)):
        done = call(*step, recipe=recipe)
        assert done.code == 0, done.err
    new = [line.rpartition(",")[0] for line in flats().splitlines()[:3]]
    (tmp_path / "new_flats.csv").write_text("\n".join(new), encoding="utf-8")
    done = call("predict", "new_flats.csv", recipe=recipe)
    assert done.code == 0, done.err
    assert "rent" in done.out
    assert re.search(r"row 2\s*│\s*\d", done.out)
    exported = loading.find(recipe)
    answers = exported.outputs(exported.read([tmp_path / "new_flats.csv"]))
    rent = pytest.approx(float(answers["rent"][0]), rel=1e-5)
    answer = app.predict_samples(exported, REQUEST.encode())
    assert answer["outputs"]["rent"] == [rent]
    cells = json.dumps({"instances": [new[1].split(","), [54.0, 2, "north", "1987-05-01"]]})
    answer = app.predict_samples(exported, cells.encode())
    assert [row["rent"] for row in answer["predictions"]] == [rent, rent]
    answer = app.predict_file(exported, "\n".join(new).encode(), "new.csv", 0, 0)
    assert answer["predictions"][0]["rent"] == rent


def test_the_documented_recipe_learns_from_a_folder_of_pictures(call, tmp_path, rng):
    for name in ("heron", "owl"):
        (tmp_path / "birds" / name).mkdir(parents=True)
        for i in range(6):
            pixels = rng.integers(0, 255, (20, 20, 3)).astype("uint8")
            Image.fromarray(pixels).save(tmp_path / "birds" / name / f"{i}.jpg")
    recipe = script(BIRDS, tmp_path, "birds").recipe
    done = call("train", "--epochs", "1", recipe=recipe)
    assert done.code == 0, done.err
    assert "heron 6, owl 6" in done.out


def test_the_documented_source_loads(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    np.save("vibrations.npy", rng.normal(size=(40, 500)))
    np.save("labels.npy", np.arange(40) % 2)
    data = script(SENSORS, tmp_path, "sensors").Sensors().load()
    assert tasks.of(data).name == "binary"
    assert [len(y) for _, y in (data.train, data.validation, data.test)] == [28, 4, 8]


def test_the_table_of_contracts_names_every_task_and_its_objective():
    rows = re.findall(r"^\| `(\w+)` \|.*\| `(val_\w+)`.*\|$", PAGE, re.MULTILINE)
    known = {type(task).__name__: task.objective[0] for task in tasks.TASKS.values()}
    assert dict(rows) == known
    assert all(issubclass(getattr(tasks, name), Task) for name in known)
