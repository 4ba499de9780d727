"""The programs of the site's first guide and of its notebooks run, and their results hold."""

import re
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parents[1] / "docs"
pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


@pytest.mark.parametrize("page", ["first_model", "metric_learning"])
def test_a_guides_program_runs(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(program, found := {})  # noqa: S102 - what the page offers to paste
    if page == "first_model":
        printed = capsys.readouterr().out
        plain, adjusted = np.transpose(seeds(printed))
        assert (adjusted > plain + 0.05).all()
        np.testing.assert_allclose(seeds(printed), seeds(text), atol=0.05)
        assert "The same predictions: True" in printed
    else:
        assert found["nearest"][0] == 0


def seeds(text):
    """Return the accuracies that a program prints for each seed: plain Keras, then the catalog."""
    lines = re.findall(r"Seed \d: plain Keras ([\d.]+), \w+ ([\d.]+)", text)
    return np.array(lines, dtype=float).reshape(-1, 2)


def scores(text):
    """Return the numbers of each printed line that begins with a name and a colon."""
    lines = re.findall(r"^ *([\w ()]+): (.*)$", text, re.MULTILINE)
    return {name: [float(n) for n in re.findall(r"\d+\.\d+", rest)] for name, rest in lines}


def better_than_pixels(found):
    (recall, map_at_r), pixels = found["embeddings"], found["pixels"]
    assert recall > max(0.85, pixels[0])
    assert map_at_r > 2 * pixels[1]


def crf_is_better(found):
    (crf,), (softmax,) = found["CRF"], found["softmax"]
    assert crf > softmax + 0.05


def rates_matter_more(found):
    (methods,) = found.pop("all methods")
    assert len(found) == 5
    assert min(factor for (factor,) in found.values()) > methods


RESULTS = {
    "own_pictures": better_than_pixels,
    "crf_tagger": crf_is_better,
    "compare_optimizers": rates_matter_more,
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_notebook_shows_what_it_says(name):
    notebook = pytest.importorskip("docs.notebooks.notebook")
    cells = notebook.run(notebook.read(name)).cells
    RESULTS[name](scores("".join(notebook.printed(c) for c in cells if c.cell_type == "code")))
