"""Regression, binary and multi-label classification: scores, and the way to served answers."""

import json

import keras
import numpy as np
import pytest
from keras import layers

from kcatalog.recipe import Recipe, tasks
from kcatalog.recipe.data import Data, Source
from kcatalog.recipe.export import loading
from kcatalog.recipe.monitoring import pictures
from kcatalog.recipe.monitoring.pictures import Predictions
from kcatalog.recipe.tasks import baselines
from tests.recipe import tiny

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3)).astype("float32")
LABELS = {
    "regression": np.stack([X[:, 0] * 2 + 5, X[:, 1] * 100], axis=1),
    "binary": (X[:, 0] > 0).astype("int32"),
    "multi-label": (X > 0).astype("int32"),
}
CLASSES = {"regression": (), "binary": ("no", "yes"), "multi-label": ("red", "green", "blue")}
TASKS = {
    "regression": tasks.Regression("RMSE", targets=("mass", "length"), units=("kg", "")),
    "binary": tasks.Binary(threshold=0.7),
    "multi-label": tasks.MultiLabel("micro F1"),
}
LOSS = {"regression": "mean_absolute_error"}


class Points(Source):
    """Points in space with labels of each kind."""

    wanted = "one of the tests' own"

    def __init__(self, default):
        self.default = default

    def sets(self):
        return {name: lambda seed, name=name: points(name) for name in LABELS}

    def read(self, paths, info):
        return np.stack([np.loadtxt(path, dtype="float32") for path in paths])


def points(name):
    parts = [(X[p], LABELS[name][p]) for p in (slice(0, 80), slice(80, 100), slice(100, 120))]
    return Data(name, name, "point", *parts, CLASSES[name])


def build(hp, data):
    x = keras.Input(data.input_shape, name=data.input_name)
    made = keras.Model(x, layers.Dense(tasks.of(data).output_shape(data)[-1])(x))
    loss = LOSS.get(str(data.task), keras.losses.BinaryCrossentropy(from_logits=True))
    made.compile(keras.optimizers.Adam(0.1), loss)
    return made


def recipe(name):
    return Recipe(
        name.replace("-", "_"),
        Points(name),
        build,
        baselines.gradient_boosting,
        epochs=1,
        task=TASKS[name],
    )


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", LABELS)
def test_from_data_to_answers(name, call, one_process, tmp_path):
    r = recipe(name)
    for step in ("train", "evaluate", "export"):
        done = call(step, recipe=r)
        assert done.code == 0, done.err
    metrics = json.loads((tmp_path / "runs" / r.name / "1" / "metrics.json").read_text())
    assert metrics["measure"] == TASKS[name].measure
    assert np.isfinite([metrics["test"], metrics["baseline"]["test"]]).all()
    exported = loading.find(r)
    x, y = r.load().test
    outputs = exported.outputs(x)
    described = exported.describe(outputs)
    assert TASKS[name].score(y, TASKS[name].outputs(outputs)) == pytest.approx(metrics["test"])
    (tmp_path / "one.txt").write_text("1 2 3")
    done = call("predict", "one.txt", recipe=r)
    assert done.code == 0, done.err
    if name == "regression":
        np.testing.assert_allclose(outputs["mass"], outputs["values"][:, 0])
        assert described[0].keys() == {"mass", "length"}
        assert "R² of length" in metrics["further"]
        assert "root mean squared error of mass (kg)" in metrics["further"]
        assert "length" in done.out
    elif name == "binary":
        p = outputs["probabilities"]
        np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
        assert [d["label"] for d in described] == np.where(p[:, 1] >= 0.7, "yes", "no").tolist()
        assert {"area under the ROC curve", "F1 of yes"} <= metrics["further"].keys()
        assert "yes" in done.out or "no" in done.out
    else:
        wanted = [[c for c, v in zip(CLASSES[name], p, strict=True) if v >= 0.5]
                  for p in outputs["probabilities"]]  # fmt: skip
        assert [d["labels"] for d in described] == wanted
        assert {"macro F1", "mean average precision", "F1 of green"} <= metrics["further"].keys()


@pytest.mark.parametrize("name", LABELS)
def test_a_perfect_model_scores_best_and_pictures_are_drawn(name):
    task, data = TASKS[name], points(name)
    y = data.test[1]
    outputs = y if name == "regression" else 20.0 * y.reshape(len(y), -1) - 10
    assert task.score(y, outputs) == (0 if name == "regression" else 1)
    np.testing.assert_array_equal(np.squeeze(task.predicted(outputs)), y)
    p = Predictions(data, data.test, outputs, task.predicted(outputs))
    for picture in pictures.of(data):
        if picture.__name__ not in ("sample_predictions", "worst_mistakes"):
            drawn = picture(p)
            assert drawn is not None or picture.__name__ == "table_of_worst_mistakes"


def test_regression_measures_agree_with_scikit_learn():
    from sklearn import metrics

    data = points("regression")
    y, outputs = data.test[1], data.test[1] + RNG.normal(size=data.test[1].shape)
    task = tasks.Regression()
    assert task.score(y, outputs) == pytest.approx(metrics.mean_absolute_error(y, outputs))
    rmse = metrics.root_mean_squared_error(y, outputs)
    assert tasks.Regression("RMSE").score(y, outputs) == pytest.approx(rmse)
    further = task.further(data, outputs)
    assert further["R²"] == pytest.approx(metrics.r2_score(y, outputs))
    assert further["R² of value_2"] == pytest.approx(metrics.r2_score(y[:, 1], outputs[:, 1]))


@pytest.mark.parametrize("average", ["macro", "micro"])
def test_f1_agrees_with_scikit_learn(average):
    from sklearn import metrics

    y, outputs = points("multi-label").test[1], RNG.normal(size=(20, 3))
    wanted = metrics.f1_score(y, outputs > 0, average=average)
    assert tasks.MultiLabel(f"{average} F1").score(y, outputs) == pytest.approx(wanted)


def test_one_target_has_a_name_of_its_own_and_floats_are_split_as_numbers():
    from kcatalog.recipe.data.base import split

    info = tiny.info("regression", input_shape=(3,))
    described = tasks.named("regression").describe({"values": np.array([2.5])}, info)
    assert described == {"value": 2.5}
    parts = split(X, LABELS["regression"][:, 0].astype("float32"), seed=0)
    assert [len(y) for _, y in parts.values()] == [86, 10, 24]


@pytest.mark.parametrize(
    "make",
    [
        lambda: tasks.Regression("R2"),
        lambda: tasks.Binary(1.0),
        lambda: tasks.MultiLabel("accuracy"),
        lambda: tasks.MultiLabel(threshold=0),
    ],
)
def test_wrong_arguments_are_refused(make):
    with pytest.raises(ValueError, match="must be"):
        make()


@pytest.mark.parametrize("name", LABELS)
def test_baselines_learn(name):
    data = points(name)
    described, score = baselines.gradient_boosting(data)
    assert described == "gradient boosting"
    assert score > 0.8 or (name == "regression" and score < 30)
    if name == "regression":
        assert baselines.linear_regression(data)[1] < 1
