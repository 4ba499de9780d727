"""Tables: what is read from a CSV file or DataFrame, said of it, and exported of it."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kcatalog.recipe import Recipe, tasks
from kcatalog.recipe.data import DataInfo, FeatureTables, Tables
from kcatalog.recipe.data.columns import CROSSED, Column, TableDetails
from kcatalog.recipe.export import loading
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe.scripts import imported

ROWS = 60


def rows(target=lambda i: f"{20 + i * 1.5:.2f}", count=ROWS, **columns):
    """A CSV file's text with columns of each kind, and some gaps."""
    made = {
        "id": lambda i: f"row-{i}",
        "country": lambda i: "NL",
        "age": lambda i: "" if i % 11 == 0 else str(20 + i % 40),
        "city": lambda i: ("Delft", "Gouda", "", "Breda")[i % 4],
        "member": lambda i: ("Yes", "no")[i % 2],
        "since": lambda i: f"{2000 + i % 20}-{1 + i % 12:02}-{1 + i % 28:02}",
        **columns,
        "price": target,
    }
    lines = [",".join(made), *(",".join(f(i) for f in made.values()) for i in range(count))]
    return "\n".join(lines) + "\n"


@pytest.fixture
def file(tmp_path):
    def write(text, name="table.csv"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


def found(data):
    texts = {}
    for each in data.findings:
        texts.setdefault(each.about, []).append(each.text)
    return {about: "; ".join(each) for about, each in texts.items()}


def test_columns_are_read_and_said(file):
    data = Tables().load(file(rows()))
    assert data.task == "regression"
    said = found(data)
    assert said["target"] == "price, numbers: a regression"
    assert said["columns"] == "1 numeric, 1 categorical, 1 boolean, 1 date"
    assert "constant: country" in said["left out"]
    assert "different in every row: id" in said["left out"]
    assert said["missing"].startswith("age 6, city 15; numbers and dates are filled with the mean")
    kinds = {c.name: c.kind for c in data.details.columns}
    assert kinds == {"age": "number", "city": "category", "member": "boolean", "since": "date"}
    names = [name for c in data.details.columns for name in c.features]
    assert data.input_shape == (len(names),) == (2 + 4 + 2 + 5,)
    x = np.concatenate([part[0] for part in (data.train, data.validation, data.test)])
    assert np.isfinite(x).all()
    assert abs(data.train[0][:, 0].mean()) < 1e-5
    assert data.requests.shape == (len(data.test[1]), 4)
    np.testing.assert_allclose(data.details.features(data.requests), data.test[0])


@pytest.mark.parametrize(
    ("target", "kind", "task", "classes", "words"),
    [
        (lambda i: ("b", "a")[i % 2], None, "binary", ("a", "b"), "price, a or b"),
        (lambda i: str(i % 2), None, "binary", ("0", "1"), "price, 0 or 1"),
        (lambda i: "cab"[i % 3], None, "classification", ("a", "b", "c"), "price, 3 classes"),
        (
            lambda i: str(3 + i % 4),
            None,
            "classification",
            ("3", "4", "5", "6"),
            "price, 4 classes of whole numbers; to read them as numbers, add --target-kind regr",
        ),
        (lambda i: str(3 + i % 4), "regression", "regression", (), "price, numbers: a regression"),
        (lambda i: str(i * 7), None, "regression", (), "price, numbers: a regression"),
    ],
)
def test_the_target_decides_the_task(file, target, kind, task, classes, words):
    data = Tables(target_kind=kind).load(file(rows(target)))
    assert (data.task, data.classes) == (task, classes)
    assert found(data)["target"].startswith(words)


class Counts(tasks.Task):
    name, measure, better = "counts", "Poisson deviance", "lower"

    def score(self, labels, outputs):
        raise NotImplementedError

    predicted = score


@pytest.mark.parametrize("task", [tasks.Regression(), Counts()])
def test_another_task_needs_to_know_what_whole_numbers_are(file, task):
    """They were read as the indices of classes, 0 to 4, whatever the task."""
    path = str(file(rows(lambda i: str(3 * (i % 5)))))
    recipe = Recipe("visits", Tables(), lambda hp, data: None, None, task=task)
    with pytest.raises(RecipeError, match=r"Received: 5 different .*--target-kind regression"):
        recipe.load(path)
    numbers = recipe.load(path, settings={"target_kind": "regression"})
    assert set(np.ravel(numbers.train[1])) == {0, 3, 6, 9, 12}
    classes = recipe.load(path, settings={"target_kind": "classification"})
    assert classes.classes == ("0", "3", "6", "9", "12")
    assert (
        dataclasses.replace(recipe, task=tasks.Classification()).load(path).classes
        == classes.classes
    )


def test_several_targets_are_labels_or_numbers(file):
    path = file(rows(lambda i: str(i % 2), red=lambda i: str(i % 3 // 2)))
    data = Tables(target="red,price").load(path)
    assert (data.task, data.classes, data.train[1].shape[1]) == ("multi-label", ("red", "price"), 2)
    data = Tables(target="age,price").load(file(rows()))
    assert (data.task, data.details.targets) == ("regression", ("age", "price"))
    assert "6 rows without a target" in found(data)["left out"]


def test_the_target_stands_behind_a_colon_too(file):
    path = file(rows(lambda i: ["x", "y", "z"][i % 3]))
    assert Tables().load(f"{path}:member").classes == ("Yes", "no")
    with pytest.raises(RecipeError, match="The target must be said once"):
        Tables(target="age").load(f"{path}:member")


@pytest.mark.parametrize(
    ("text", "source", "words"),
    [
        (rows(), {"target": "cost"}, r"must be a column of table.csv. Received: 'cost'.*'price'"),
        (rows(lambda i: "1"), {}, r"'price' of table.csv has the same value in every row"),
        (rows(lambda i: f"n{i}" * 2), {"target_kind": "regression"}, r"numbers for a regression"),
        (rows(lambda i: "b" if i == 7 else "a"), {}, r"at least 3 rows.*Received: 1 of 'b'"),
        (rows(age=lambda i: "old" if i == 7 else str(i % 9)), {}, r"'age'.*'old' in line 9"),
        ("a,b,a\n1,2,3\n", {}, r"a different name for each column. Received: 'a' more than once"),
        ("a\n1\n2\n", {}, r"must have a target and at least one other column"),
        ("a,b\n1,2\n3,4\n", {}, r"at least 20 rows with a target. Received: 2"),
        (
            "id,y\n" + "".join(f"{i},{i * i}\n" for i in range(50)),
            {},
            r"no column to predict from \(different in every row: id\)",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(file, text, source, words):
    with pytest.raises(RecipeError, match=words):
        Tables(**source).load(file(text))


def test_cells_to_predict_are_read_as_those_of_the_training(file):
    """Alone, 2.500 would be 2.5 and 03/04/2023 might be in March or April."""
    table = "since;size;price\n"
    for i in range(60):
        size = f"{1000 + 37 * i:,}".replace(",", ".")
        table += f"{{date}};{size},5 kg;{i}\n".format(date=f"{1 + i % 12:02}/{1 + i % 28:02}/2023")
    data = Tables().load(file(table))
    since, size = data.details.columns
    assert (since.day_first, size.decimal, size.unit) == (False, ",", "kg")
    details = TableDetails(json.loads(json.dumps([vars(c) for c in data.details.columns])))
    info = dataclasses.replace(data.info, details=details)
    asked = file("since;size;price\n03/04/2023;2.500;1\n04/03/2023;1.750;1\n", "asked.csv")
    assert Tables().read([asked], info).tolist() == [
        ["2023-03-04", "2500.0"],
        ["2023-04-03", "1750.0"],
    ]
    asked.write_text("since;size;price\n2023-04-03;2.5;1\n", encoding="utf-8")  # shows its own
    assert Tables().read([asked], info).tolist() == [["2023-04-03", "2.5"]]
    asked.write_text("since;size;price\n2023-04-03;2 g;1\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"in kg in column 'size'.*Received: g. Convert them"):
        Tables().read([asked], info)


def test_an_order_of_day_and_month_that_no_cell_shows_is_said(file):
    text = rows(since=lambda i: f"{1 + i * 5 % 12}/{1 + i * 7 % 11}/{2000 + i % 20}")
    data = Tables().load(file(text))
    assert "'1/1/2000' in since: the day comes first; no cell shows" in found(data)["dates"]


def test_a_dataframe_is_read_like_its_file(file):
    import pandas

    path = file(rows())
    frame = pandas.read_csv(path, parse_dates=["since"])
    frame["member"] = frame["member"] == "Yes"
    data = Tables(default="mine", frames={"mine": frame}).load()
    other = Tables().load(path)
    assert data.name == "mine"
    assert [c.kind for c in data.details.columns] == [c.kind for c in other.details.columns]
    np.testing.assert_allclose(data.train[0][:, :2], other.train[0][:, :2], atol=1e-6)
    np.testing.assert_allclose(data.train[0][:, -5:], other.train[0][:, -5:], atol=1e-6)


def test_numbers_far_from_zero_keep_their_differences(file):
    data = Tables().load(file(rows(age=lambda i: str(10**12 + i % 7))))
    assert len(np.unique(data.train[0][:, 0])) == 7


def test_cells_are_encoded_as_the_calendar_says():
    columns = [
        (Column("n", "number", 1e12, 2.0, missing=True), ["1000000000001.5", "", "-3e5"]),
        (Column("c", "category", values=("", "ä", "b")), ["ä", "", "new"]),
        (Column("d", "date", 1e4, 9.0, True), ["2024-02-29", "", "1969-12-31"]),
        (Column("t", "date", 1e4, 9.0, hours=True), ["2000-03-01T12:30:15", "1900-01-01", ""]),
    ]
    details = TableDetails(tuple(column for column, _ in columns))
    got = details.features(np.array([texts for _, texts in columns]).T)
    assert got.shape[1] == sum(len(c.features) for c, _ in columns)
    plain = [[0.75, 0, 0, 1, 0], [0, 1, 1, 0, 0], [(-3e5 - 1e12) / 2, 0, 0, 0, 0]]
    np.testing.assert_allclose(got[:, :5], plain, rtol=1e-6)
    for first, cells, hours in ((5, columns[2][1], False), (11, columns[3][1], True)):
        for row, cell in zip(got, cells, strict=True):
            periods = (365.2425, 7, 1) if hours else (365.2425, 7)
            days = np.datetime64(cell or "1970-01-01").astype("datetime64[s]").astype(int) / 86400
            angles = [2 * np.pi / period * days for period in periods]
            waves = [f(angle) for angle in angles for f in (np.sin, np.cos)]
            want = [(days - 1e4) / 9, *waves] if cell else np.zeros(1 + 2 * len(periods))
            np.testing.assert_allclose(row[first : first + len(want)], want, rtol=1e-6, atol=1e-6)
    info = DataInfo("a", "regression", "row", (3,), (), details=details)
    record = json.loads(json.dumps(info.to_record()))
    assert DataInfo.from_record(record, TableDetails) == info


@pytest.mark.tensorflow
def test_from_a_file_to_answers_for_rows(file, call, one_process, tmp_path):
    r, path = imported("tabular_mlp").recipe, file(rows(lambda i: ("no", "yes")[i % 2]))
    data = ("--data", path, "--target", "price", "--target-kind", "classification")
    for step in (("train", "--epochs", "1", *data), ("evaluate",)):
        done = call(*step, recipe=r)
        assert done.code == 0, done.err
    done = call("export", "--variants", "litert,float16", "--accept", "all", recipe=r)
    assert done.code == 0, done.err
    new = "city,age,since,member,more\nGouda,31,2010-05-06,no,1\nParis,,,yes,2\n"
    done = call("predict", file(new, "new.csv"), "--json", recipe=r)
    assert done.code == 0, done.err
    first, second = map(json.loads, done.out.splitlines())
    assert first["file"].endswith("new.csv, row 1")
    assert second["label"] in ("no", "yes")
    exported = loading.find(r)
    p = exported.outputs(exported.read([tmp_path / "new.csv"]))["probabilities"]
    columns = {
        "age": np.array([31.0, np.nan]),
        "city": np.array(["Gouda", "Paris"]),
        "member": np.array(["no", "yes"]),
        "since": np.array(["2010-05-06", ""]),
    }
    by_name = exported.outputs(columns, "columns")["probabilities"]
    np.testing.assert_allclose(by_name, p, atol=1e-6)
    manifest = json.loads((exported.folder / "manifest.json").read_text())
    assert "refused" not in manifest["variants"]["litert"]
    assert manifest["variants"]["litert"]["score"] == manifest["metrics"]["test"]
    done = call("predict", file("age,city\n3,4\n", "bad.csv"), recipe=r)
    assert done.code == 2
    assert "Missing: 'member', 'since'" in " ".join(done.err.split())


# --- categories through Keras's FeatureSpace ------------------------------------------------


def bought(**columns):
    """A table with a class for each row, and categories that are numbers."""
    columns = {"class": lambda i: str(1 + i % 3), **columns}
    return rows(lambda i: ("no", "yes")[i % 2], **columns)


def test_features_are_those_of_plain_tables(file):
    path = file(bought())
    data, plain = FeatureTables().load(path), Tables().load(path)
    assert (data.task, plain.task) == ("classification", "binary")
    assert data.classes == ("no", "yes")
    for part in ("train", "validation", "test"):
        (x, y), (expected, labels) = getattr(data, part), getattr(plain, part)
        np.testing.assert_allclose(x, expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(y, labels)


@pytest.mark.parametrize("source", [Tables, FeatureTables])
def test_numbers_can_be_categories(file, source):
    for categorical, kind, values in ((None, "number", ()), ("class", "category", ("1", "2", "3"))):
        data = source(categorical=categorical).load(file(bought()))
        (column,) = (c for c in data.details.columns if c.name == "class")
        assert (column.kind, column.values) == (kind, values)
    assert data.input_shape == (2 + 4 + 2 + 5 + 3,)


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
    details = TableDetails(columns)
    np.testing.assert_array_equal(details.features(cells), plain)
    crossed = TableDetails(columns, cross=("a", "b"))
    x = crossed.features(np.concatenate([cells, cells[:1]]))
    np.testing.assert_array_equal(x[:3, :7], plain)
    cross = x[:, 7:]
    assert cross.shape == (4, CROSSED)
    assert cross.sum(axis=1).tolist() == [1, 1, 1, 1]
    assert len(np.unique(cross, axis=0)) == 3
    np.testing.assert_array_equal(cross[0], cross[3])
    info = DataInfo("a", "classification", "row", (71,), ("x", "y"), details=crossed)
    record = json.loads(json.dumps(info.to_record()))
    assert DataInfo.from_record(record, TableDetails) == info
    numbers = Column("n", "number"), Column("m", "number", 1.0, 2.0)  # alone need no space
    x = TableDetails(numbers).features(np.array([["1.5", "3.0"]]))
    np.testing.assert_array_equal(x, [[1.5, 1.0]])


@pytest.mark.parametrize(
    ("text", "source", "words"),
    [
        (bought(), {"categorical": "size"}, r"--categorical must name columns.*Received: 'size'"),
        (bought(), {"categorical": "price"}, r"beside the target. Received: 'price'"),
        (
            bought(count=80, code=lambda i: str(i * i)),
            {"categorical": "code"},
            r"'code' of table.csv has 80 different values, too many for categories \(at most 50\)",
        ),
        (bought(), {"cross": "city"}, r"two or more categorical columns of table.csv.*'city'"),
        (bought(), {"cross": "city,age"}, r"Received: 'city,age'. Its categorical columns: city"),
        (bought() + "1,2,3,4,5,6,7,8,9\n", {}, r"9 cells in line 62.*8 in the header"),
        (bought(count=0), {}, r"at least 20 rows with a target. Received: 0"),
        (bought(red=lambda i: str(i % 2)), {"target": "red,class"}, r"must be one column"),
        (
            bought(cost=lambda i: f"{i * 1.7:.2f}", count=120),
            {"target": "cost"},
            r"'cost' of table.csv has 120 different values, too many for classes",
        ),
    ],
)
def test_what_cannot_be_a_class_or_a_cross_is_refused_in_one_sentence(file, text, source, words):
    with pytest.raises(RecipeError, match=words) as caught:
        FeatureTables(**source).load(file(text))
    assert "\n" not in str(caught.value)


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
    r = dataclasses.replace(imported("margin_mlp").recipe, trials=1, trial_epochs=1, epochs=1)
    path = file(bought())
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
    new = "class,city,age,since,member\n3,Gouda,31,2010-05-06,no\n9,Paris,,,yes\n"
    done = call("predict", file(new, "new.csv"), "--json", recipe=r)
    assert done.code == 0, done.err
    answers = [json.loads(line)["probabilities"] for line in done.out.splitlines()]
    raw = {
        "age": [31.0, float("nan")],
        "city": ["Gouda", "Paris"],
        "class_": ["3", "9"],  # a keyword of Python cannot name an input
        "since": ["2010-05-06", ""],
        "member": ["no", "yes"],
    }
    (folder,) = Path("saved_models/margin_mlp").glob("[0-9]*")
    command = [sys.executable, "-c", CLEAN, str(folder), json.dumps(raw)]
    clean = subprocess.run(command, check=True, capture_output=True, text=True)
    p = json.loads(clean.stdout.splitlines()[-1])
    np.testing.assert_allclose(p, [[a["no"], a["yes"]] for a in answers], atol=1e-6)
