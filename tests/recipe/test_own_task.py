"""A task of the user's own: the script in the documentation does what the page says."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kcatalog.recipe import tasks
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe import tiny
from tests.recipe.scripts import imported

PAGE = Path(__file__).parents[2] / "docs" / "own_task.md"


@pytest.fixture
def script(tmp_path):
    """The documented script, imported from a file."""
    (source,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert source.count("\n") < 60
    file = tmp_path / "grades.py"
    file.write_text(source, encoding="utf-8")
    return imported("grades", tmp_path)


@pytest.mark.tensorflow
def test_the_documented_task_goes_the_whole_way(script, call, one_process, tmp_path):
    done = call("train", "--epochs", "8", recipe=script.recipe)
    assert done.code == 0, done.err
    run = done.folder / "runs" / "grades" / "1"
    assert json.loads((run / "record.json").read_text())["data"]["task"] == "ordinal"
    for step in ("evaluate", "export"):
        assert call(step, recipe=script.recipe).code == 0
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["measure"] == "mean distance in grades"
    assert metrics["test"] < 0.8 * metrics["baseline"]["test"]
    manifest = json.loads((done.folder / "saved_models/grades/1/manifest.json").read_text())
    assert set(manifest["signatures"]) == {"serving_default", "serving_bytes"}
    x, _ = script.recipe.load().test
    Image.fromarray(x[0, ..., 0]).resize((8, 8)).save(tmp_path / "one.png")
    done = call("predict", "one.png", recipe=script.recipe)
    assert done.code == 0, done.err
    assert re.search(r"one\.png\s*│\s*\d\s*│\s*\d\.?\d*", done.out)


def test_score_and_description(script):
    task = script.Ordinal()
    outputs = np.array([[0.2], [1.6], [2.0]])
    assert task.score(np.array([0, 0, 2]), outputs) == pytest.approx(2 / 3)
    described = task.describe({"place": np.float32(1.6)}, tiny.info(classes="abc"))
    assert described == {"grade": "c", "place": pytest.approx(1.6)}


def test_a_name_without_a_task_is_refused():
    with pytest.raises(RecipeError, match=r"'ordinal' is none of 'classification'.*Recipe\("):
        tasks.named("ordinal")
