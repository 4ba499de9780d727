"""Tables encoded by Keras's FeatureSpace: the same in training, in the export, and by column."""

import dataclasses
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kcatalog.recipe.data import DataInfo, FeatureTables, Tables
from kcatalog.recipe.data.columns import Column
from kcatalog.recipe.data.feature_tables import CROSSED, FeatureTableDetails
from kcatalog.recipe.terminal.errors import RecipeError

RECIPE = Path(__file__).parents[2] / "recipes" / "margin_mlp.py"
ROWS = 60


def rows(count=ROWS, **columns):
    """A CSV file's text: numbers, categories as text and as numbers, dates, gaps and a target."""
    made = {
        "age": lambda i: "" if i % 11 == 0 else str(20 + i % 40),
        "city": lambda i: ("Delft", "Gouda", "", "Breda")[i % 4],
        "class": lambda i: str(1 + i % 3),
        "since": lambda i: f"{2000 + i % 20}-{1 + i % 12:02}-{1 + i % 28:02}",
        **columns,
        "bought": lambda i: ("no", "yes")[i % 2],
    }
    lines = [",".join(made), *(",".join(f(i) for f in made.values()) for i in range(count))]
    return "\n".join(lines) + "\n"


@pytest.fixture
def file(tmp_path):
    def write(text, name="table.csv"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


def kinds(data):
    return {column.name: column.kind for column in data.details.columns}


def test_features_are_those_of_plain_tables(file):
    path = file(rows())
    data, plain = FeatureTables().load(path), Tables().load(path)
    assert (data.task, plain.task) == ("classification", "binary")
    assert data.classes == ("no", "yes")
    assert kinds(data)["class"] == "number"
    for part in ("train", "validation", "test"):
        (x, y), (expected, labels) = getattr(data, part), getattr(plain, part)
        np.testing.assert_allclose(x, expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(y, labels)


@pytest.mark.parametrize("source", [Tables, FeatureTables])
def test_numbers_can_be_categories(file, source):
    data = source(categorical="class").load(file(rows()))
    assert kinds(data)["class"] == "category"
    (column,) = (c for c in data.details.columns if c.name == "class")
    assert column.values == ("1", "2", "3")
    assert data.input_shape == (2 + 4 + 3 + 5,)


def test_unseen_categories_have_no_feature_and_combinations_have_one():
    columns = (
        Column("n", "number", 10.0, 2.0, missing=True),
        Column("a", "category", values=("", "p", "ä")),
        Column("b", "boolean", values=("no", "yes")),
    )
    cells = np.array([["12.0", "ä", "no"], ["", "", "yes"], ["10.0", "new", "no"]])
    plain = [
        [1, 0, 0, 0, 1, 1, 0],
        [0, 1, 1, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 1, 0],
    ]
    details = FeatureTableDetails(columns)
    np.testing.assert_array_equal(details.features(cells), plain)
    crossed = FeatureTableDetails(columns, cross=("a", "b"))
    x = crossed.features(np.concatenate([cells, cells[:1]]))
    np.testing.assert_array_equal(x[:3, :7], plain)
    cross = x[:, 7:]
    assert cross.shape == (4, CROSSED)
    assert cross.sum(axis=1).tolist() == [1, 1, 1, 1]
    assert len(np.unique(cross, axis=0)) == 3
    np.testing.assert_array_equal(cross[0], cross[3])
    info = DataInfo("a", "classification", "row", (71,), ("x", "y"), details=crossed)
    record = json.loads(json.dumps(info.to_record()))
    assert DataInfo.from_record(record, FeatureTableDetails) == info


def test_a_table_of_numbers_alone_needs_no_space(file):
    columns = Column("n", "number"), Column("m", "number", 1.0, 2.0)
    x = FeatureTableDetails(columns).features(np.array([["1.5", "3.0"]]))
    np.testing.assert_array_equal(x, [[1.5, 1.0]])


@pytest.mark.parametrize(
    ("text", "source", "words"),
    [
        (rows(), {"target": "cost"}, r"must be a column of table.csv. Received: 'cost'.*'bought'"),
        (rows(), {"categorical": "size"}, r"--categorical must name columns.*Received: 'size'"),
        (rows(), {"categorical": "bought"}, r"beside the target. Received: 'bought'"),
        (
            rows(count=80, code=lambda i: str(i * i)),
            {"categorical": "code"},
            r"'code' of table.csv has 80 different values, too many for categories \(at most 50\)",
        ),
        (rows(), {"cross": "city"}, r"two or more categorical columns of table.csv.*'city'"),
        (rows(), {"cross": "city,age"}, r"Received: 'city,age'. Its categorical columns: city"),
        (rows() + "31,Gouda,1,2001-01-01,no,1\n", {}, r"6 cells in line 62.*5 in the header"),
        (rows(count=0), {}, r"at least 20 rows with a target. Received: 0"),
        (rows(red=lambda i: str(i % 2)), {"target": "red,class"}, r"must be one column"),
        (
            rows(price=lambda i: f"{i * 1.7:.2f}", count=120).replace("bought", "b"),
            {"target": "price"},
            r"'price' of table.csv has 120 different values, too many for classes",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(file, text, source, words):
    with pytest.raises(RecipeError, match=words) as caught:
        FeatureTables(**source).load(file(text))
    assert "\n" not in str(caught.value)


def recipe():
    spec = importlib.util.spec_from_file_location("margin_mlp", RECIPE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.recipe


CLEAN = """
import json, sys
sys.modules.update(keras=None, tf_keras=None, kcatalog=None)  # cannot be imported
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
columns = {name: tf.constant(x, tf.float64 if name == "age" else tf.string)
           for name, x in json.loads(sys.argv[2]).items()}
print(json.dumps(model.signatures["columns"](**columns)["probabilities"].numpy().tolist()))
"""


@pytest.mark.tensorflow
def test_from_a_file_to_probabilities_of_raw_columns(file, call, one_process):
    r, path = dataclasses.replace(recipe(), trials=1, trial_epochs=1, epochs=1), file(rows())
    options = ("--categorical", "class", "--cross", "city,class", "--run-dir", "run")
    done = call("tune", "--data", path, *options, recipe=r)
    assert done.code == 0, done.err
    for step in ("train", "evaluate", "export"):
        done = call(step, *(("--resume",) if step == "train" else ()), "--run-dir", "run", recipe=r)
        assert done.code == 0, done.err
    metrics = json.loads(Path("run/metrics.json").read_text())
    assert {"logistic", "gradient"} <= set(metrics["baseline"]["name"].split())
    shares = metrics["further"]
    assert 0 <= shares["share of weights that are zero"] <= 1
    assert "share of weights below 0.001 of the largest" in shares
    new = "class,city,age,since\n3,Gouda,31,2010-05-06\n9,Paris,,\n"
    done = call("predict", file(new, "new.csv"), "--json", recipe=r)
    assert done.code == 0, done.err
    answers = [json.loads(line)["probabilities"] for line in done.out.splitlines()]
    raw = {
        "age": [31.0, float("nan")],
        "city": ["Gouda", "Paris"],
        "class_": ["3", "9"],  # a keyword of Python cannot name an input
        "since": ["2010-05-06", ""],
    }
    (folder,) = Path("saved_models/margin_mlp").glob("[0-9]*")
    command = [sys.executable, "-c", CLEAN, str(folder), json.dumps(raw)]
    clean = subprocess.run(command, check=True, capture_output=True, text=True)
    p = json.loads(clean.stdout.splitlines()[-1])
    np.testing.assert_allclose(p, [[a["no"], a["yes"]] for a in answers], atol=1e-6)
