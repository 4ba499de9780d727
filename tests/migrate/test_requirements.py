"""Lines that say what to install: names of old libraries, and versions that are too old."""

import re
import tomllib
from pathlib import Path

import nbformat
import pytest

from kcatalog.migrate import requirements, run

pytestmark = pytest.mark.once

OPTIONS = run.Options(("tensorflow_addons",))
PROGRAM = "import tensorflow_addons as tfa\nscore = tfa.metrics.F1Score(num_classes=3)\n"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("tensorflow==2.12", "tensorflow"),
        ("tensorflow == 2.12.0 ; python_version < '3.9'", "tensorflow"),
        ("TensorFlow[and-cuda]>=2.4,<2.13", "TensorFlow"),
        ("tensorflow~=2.12.0", "tensorflow"),
        ("tensorflow<=2.15", "tensorflow"),
        ("tensorflow-cpu==2.12.0rc1", "tensorflow-cpu"),
        ("tensorflow-gpu", "tensorflow-gpu"),
        ("tensorflow-gpu==2.4", "tensorflow-gpu"),
        ("    'tensorflow>=2.4, <2.13',", "tensorflow"),
        ('tensorflow = "^1.15"', "tensorflow"),
        ('tensorflow = "2.12"', "tensorflow"),
        ('tensorflow = {version = "~2.12", extras = ["x"]}', "tensorflow"),
        ("  - tensorflow=2.12.*", "tensorflow"),
        ("  - python=3.8", "python"),
        ("FROM tensorflow/tensorflow:2.12.0-gpu", "tensorflow"),
        ("FROM python:3.8-slim", "python"),
        ("RUN pip install tensorflow==2.12 tensorflow-addons", "tensorflow"),
        ('python_requires=">=3.7,<3.10",', "python_requires"),
        ('requires-python = ">=3.7,<3.10"', "requires-python"),
        ("keras<3", "keras"),
    ],
)
def test_too_old(line, name):
    (found,) = requirements.pins(line, 7)
    assert (found.line, found.kind, found.name) == (7, "left", name)
    assert re.search(r"2\.20|3\.13|3\.11", found.message)


@pytest.mark.parametrize(
    "line",
    [
        "tensorflow",
        "tensorflow>=2.12",
        "tensorflow~=2.12",
        "tensorflow==2.20.1",
        "tensorflow==2.*",
        "tensorflow!=2.12",
        'tensorflow = "^2.12"',
        'tensorflow = "*"',
        "tensorflow==nightly",
        "tensorflow-datasets==4.9",
        "tensorflow-text==2.12",
        "tf-keras==2.15",
        "keras-tuner==1.0",
        "keras>=2.4,<4",
        'requires-python = ">=3.8"',
        'python = "^3.8"',
        "basepython = python3.8",
        '"Programming Language :: Python :: 3.8"',
        'description = "Models for Python 3.8"',
    ],
)
def test_new_enough(line):
    assert requirements.pins(line, 1) == []


def test_oldest_versions_are_those_of_the_package():
    file = Path(__file__).parents[2] / "pyproject.toml"
    project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    stated = dict(re.match(r"([\w-]+)>=([\d.]+)", d).groups() for d in project["dependencies"])
    stated["python"] = project["requires-python"].removeprefix(">=")
    assert {name: stated[name] for name in requirements.OLDEST} == requirements.OLDEST


def found(folder, **files):
    """Return the name and line of what is left in files of a folder."""
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    outcomes = run.run([folder], OPTIONS)
    return [(f.name, f.line) for o in outcomes for f in o.findings if f.kind == "left"]


def test_a_pin_is_left_where_programs_are_migrated(tmp_path):
    text = "# tensorflow==2.1\ntensorflow==2.12\ntensorflow_addons\n"
    both = [("tensorflow", 2), ("tensorflow-addons", 3)]
    assert found(tmp_path, requirements__txt=text) == both
    text = text.replace("tensorflow_addons\n", "")
    assert found(tmp_path, requirements__txt=text) == []
    assert found(tmp_path, a__py=PROGRAM) == [("tensorflow", 2)]


def test_a_pin_in_a_notebook(tmp_path):
    source = f"!pip install tensorflow==2.12\n{PROGRAM}"
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    nbformat.write(book, tmp_path / "a.ipynb")
    assert found(tmp_path) == [("tensorflow", 1)]
