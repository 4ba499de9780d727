"""TensorBoard's event files, and what its own plugins read from them over HTTP."""

import dataclasses
import json
import urllib.request

import keras
import numpy as np
import pytest
from keras import layers
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from docs import tensorboard_tabs
from kcatalog.callbacks import GradientFlow
from kcatalog.recipe import monitoring
from kcatalog.recipe.monitoring import graph, parts, profile
from kcatalog.recipe.search import hyperparameters
from kcatalog.recipe.tasks import batches_of, task
from kcatalog.recipe.training import loss_switch
from tests.recipe import nested, tiny

# TensorBoard's own copy of html5lib
pytestmark = pytest.mark.filterwarnings("ignore:html5lib's sanitizer:DeprecationWarning")


def tensors(folder):
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return events


def tags(folder):
    return set(tensors(folder).Tags()["tensors"])


@pytest.fixture(scope="module")
def board(whole_way, watched):
    """A question to TensorBoard, answered as JSON or text."""
    with tensorboard_tabs.serve(whole_way.folder / "runs" / "tiny") as url:

        def ask(path, question=None):
            data = None if question is None else json.dumps(question).encode()
            request = urllib.request.Request(
                f"{url}data/{path}", data, headers={"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request) as answer:
                body = answer.read().decode()
            return json.loads(body) if body[:1] in "[{" else body

        yield ask


def test_every_layer_is_watched(watched):
    def layers_of(folder, kind):
        return {t.partition("/")[2] for t in tags(watched / folder) if t.startswith(f"{kind}/")}

    for folder, kinds in {
        "steps": ["update_ratio"],
        "gradients": ["gradient_norm", "update_norm"],
        "activations": [
            "activation_mean",
            "activation_deviation",
            "activation_zeros",
            "dead_units",
        ],
    }.items():
        for kind in (*kinds, *(["dead_units"] if folder == "activations" else [])):
            found = layers_of(folder, kind)
            assert len(found) == 2, (kind, found)
            assert all(name.startswith("dense") for name in found)
    assert len(layers_of("activations", "activation_saturated")) == 1  # the tanh layer
    rates = tensors(watched / "steps").Tensors("learning_rate")
    assert [e.step for e in rates] == list(range(1, 31))
    assert float(tensor_util.make_ndarray(rates[0].tensor_proto)) > 0


def test_some_thirty_measurements_of_samples_of_every_class(tmp_path):
    data = tiny.recipe.source.load(None, 0)
    x, y = data.train
    order = np.argsort(y)  # class by class, as folders are read
    assert np.count_nonzero(y == 0) > task.PROBE
    data = dataclasses.replace(data, train=(x[order], y[order]))
    batches = batches_of(data, hyperparameters.space(lambda hp: tiny.build(hp, data), {}), 16, 0)
    callbacks = monitoring.statistics(tmp_path, data, 15, batches)
    assert [c.every_steps for c in callbacks] == [3, 3, 3]  # of 15 epochs of 6 steps
    for part in callbacks[1:]:
        labels = part.probe[1]
        assert len(labels) == task.PROBE
        assert set(np.asarray(labels)) == {0, 1}


def test_weights_have_histograms(watched):
    found = tensors(watched / "weights")
    kernels = [t for t in found.Tags()["tensors"] if t.endswith("kernel")]
    assert len(kernels) == 2
    assert all(t.startswith("weights/dense") for t in kernels)
    steps = [e.step for e in found.Tensors(kernels[0])]
    assert steps == [0, 1, 2, 3, 4]
    assert len(list((watched / "weights").iterdir())) == 1  # TensorBoard reads by name
    rows = tensor_util.make_ndarray(found.Tensors(kernels[0])[0].tensor_proto)
    assert rows[:, 2].sum() in (8, 16)  # every weight is counted


def test_the_profile_is_a_trace(watched):
    traces = [*watched.rglob("*.xplane.pb"), *watched.rglob("*.pt.trace.json")]
    assert len(traces) == 1
    assert traces[0].stat().st_size > 1000
    assert traces[0].is_relative_to(watched / "profile")


def test_a_short_training_logs_everything_once_without_being_asked(whole_way):
    logs = whole_way.run / "logs"
    assert any(t.startswith("update_ratio/") for t in tags(logs / "training" / "steps"))
    for folder, kind in (("gradients", "gradient_norm"), ("activations", "activation_mean")):
        found = tensors(logs / "training" / folder)
        layers = [t for t in found.Tags()["tensors"] if t.startswith(f"{kind}/")]
        assert len(layers) == 2, layers
        assert [e.step for e in found.Tensors(layers[0])] == [36]  # the last of 6 epochs
        assert not (logs / "trials" / "0" / folder).exists()
    pictures = {"confusion matrix", "sample predictions"}
    assert pictures <= tags(logs / "training" / "validation")
    assert pictures <= tags(logs / "test")
    sentence = " ".join(whole_way.out.split()).partition("Logged only once: ")[2]
    names, _, advice = sentence.partition(". In a training this short")
    assert {"activations", "gradients"} <= set(names.split(", "))
    assert "Add --watch to log them throughout." in advice


@pytest.mark.parametrize("steps", ["0-5", "1-5", "9-3", "many"])
def test_steps_that_cannot_be_traced_are_named(call, steps):
    done = call("train", "--profile", steps)
    assert done.code == 2
    assert "--profile must be a step or a range of steps from 2 on" in done.err
    assert not (done.folder / "runs").exists()


def test_hparams_have_domains_metrics_and_empty_places(board, whole_way):
    found = board("plugin/hparams/experiment", {"experimentName": ""})
    columns = {h["name"]: h for h in found["hparamInfos"]}
    assert columns["units"]["domainDiscrete"] == [4, 8]
    assert columns["optimizer"]["domainDiscrete"] == ["Adam", "SGD"]
    rates = columns["optimizer.SGD.learning_rate"]["domainInterval"]
    assert 0 < rates["minValue"] < rates["maxValue"]
    metrics = {m["displayName"]: m["name"] for m in found["metricInfos"]}
    assert metrics["validation accuracy"] == {
        "group": "validation",
        "tag": "Learning curves/accuracy",
    }
    question = {
        "experimentName": "",
        "allowedStatuses": ["STATUS_SUCCESS"],
        "colParams": [],
        "startIndex": 0,
        "sliceSize": 10,
    }
    rows = board("plugin/hparams/session_groups", question)["sessionGroups"]
    assert [row["name"] for row in rows] == ["tiny/1/0", "tiny/1/1"]
    for row in rows:
        number = row["name"].rpartition("/")[2]
        trial = json.loads((whole_way.run / f"tuning/trial_{number}/trial.json").read_text())
        values = trial["hyperparameters"]["values"]
        active = {n: v for n, v in values.items() if not n.startswith("tuner/")}
        assert {"units", "loss", "optimizer", "dropout.rate"} <= set(active)
        assert row["hparams"] == pytest.approx(active)
        drawn = {n for n in row["hparams"] if n.startswith("optimizer.")}
        assert f"optimizer.{active['optimizer']}.learning_rate" in drawn
        assert all(n.startswith(f"optimizer.{active['optimizer']}.") for n in drawn)
        assert len(row["metricValues"]) == 3


def test_the_graph_plugin_draws_the_model(board):
    run = "watched/logs/training/train"
    runs = board("plugin/graphs/info")
    assert runs[run]["run_graph"]
    drawn = board(f"plugin/graphs/graph?run={run}")
    assert drawn.count("node {") == 5
    assert 'name: "dropout' in drawn
    assert drawn.count("input:") == 4  # every layer but the first


def edges(model):
    """The inputs of each node."""
    nodes = graph.nodes(json.loads(model.to_json())).node
    return {n.name: sorted(n.input) for n in nodes}


def test_a_table_has_the_layers_names_in_full():
    name = "a_layer_with_a_name_that_is_longer_than_what_a_graph_or_a_summary_shows"
    inputs = keras.Input((4,), name="start")
    twice = layers.Dense(4, name="twice")
    model = keras.Model(inputs, layers.Dense(3, name=name)(twice(twice(inputs))))
    rows = graph.table(model).splitlines()[2:]
    assert rows[0].startswith("| `start` | InputLayer | (None, 4) | 0 |")
    assert f"| `{name}` | Dense | (None, 3) | 15 |" in rows
    assert any(row.startswith("| `twice` | Dense |") for row in rows)
    assert rows[-1] == "| | | | 35 |"


def test_numbers_and_keyword_arguments_among_tensors():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    doubled = a * 2.0
    x = layers.MultiHeadAttention(1, 2, name="attend")(
        layers.Reshape((4, 1), name="left")(doubled), value=layers.Reshape((4, 1), name="right")(b)
    )
    found = edges(keras.Model([a, b], layers.Concatenate(name="both")([x, x])))
    assert found["attend"] == ["left", "right"]
    assert found["both"] == ["attend", "attend"]
    (multiply,) = (n for n in found if n.startswith("mul"))
    assert found[multiply] == ["a"]
    assert found["left"] == [multiply]


def test_models_inside_models():
    inner = keras.Input((4,), name="inside")
    block = keras.Model(inner, layers.Dense(4, name="body")(inner), name="block")
    chain = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="link")], name="chain")
    inputs = keras.Input((4,), name="start")
    found = edges(keras.Model(inputs, layers.Dense(1, name="head")(chain(block(inputs)))))
    assert found["block/inside"] == ["start"]
    assert found["block/body"] == ["block/inside"]
    assert found["head"] == ["chain/link"]


@keras.saving.register_keras_serializable("tests")
class Encoder(layers.Layer):
    """A layer with an argument `layers` that is no list of layers."""

    def __init__(self, layers, **kwargs):
        super().__init__(**kwargs)
        self.argument = layers

    def call(self, x):
        return x

    def get_config(self):
        return {**super().get_config(), "layers": self.argument}


@pytest.mark.parametrize("argument", [2, [64, 32], [], ["a"]])
def test_a_layer_with_an_argument_called_layers_is_a_layer(argument):
    inputs = keras.Input((2,), name="start")
    model = keras.Model(inputs, Encoder(argument, name="encoder")(inputs))
    assert edges(model) == {"start": [], "encoder": ["start"]}
    (part,) = parts.used_in(model)
    assert part["part"] == "tests.Encoder"
    assert part["config"]["layers"] == argument


def test_parts_of_a_model_inside_a_model_are_parts():
    data = tiny.recipe.source.load(None, 0)
    model = nested.build(hyperparameters.space(lambda hp: nested.build(hp, data), {}), data)
    found = [p["config"]["name"] for p in parts.used_in(model) if ".layers." in p["part"]]
    assert found == ["body", "link", "reused", "twice", "wide", "head"]


def test_layers_one_after_the_other_are_drawn():
    inputs = keras.Input((4, 4, 3), name="start")
    inside = [layers.Rescaling(2.0, name="scale"), layers.RandomFlip(name="flip")]
    x = layers.Pipeline(inside, name="pipeline")(inputs)
    end = layers.Flatten(name="end", dtype="mixed_bfloat16")
    for model in (keras.Model(inputs, end(x)), keras.Sequential([inputs, *inside, end])):
        found = edges(model)
        names = ["start", *(n for n in found if n.endswith(("scale", "flip"))), "end"]
        assert [found[name] for name in names] == [[], *([name] for name in names[:-1])]


def test_trials_are_watched_too(tmp_path, whole_way):
    import keras_tuner

    data = tiny.recipe.source.load(None, 0)
    hp = hyperparameters.space(lambda hp: tiny.build(hp, data), {})
    trial = keras_tuner.engine.trial.Trial(hp, "7")
    batches = batches_of(data, hp, 16, seed=0)
    callbacks = monitoring.trial_callbacks(tmp_path, trial, "val_accuracy", data, 2, batches)
    folders = [c.log_dir for c in callbacks if hasattr(c, "every_steps")]
    parts = ("steps", "activations", "gradients")
    assert folders == [str(tmp_path / "trials" / "7" / part) for part in parts]
    folder = whole_way.run / "logs" / "trials" / "0"
    assert tensors(folder / "train").Tags()["graph"]
    assert "Learning curves/accuracy" in tags(folder / "validation")


def test_after_a_warm_up_the_gradient_is_that_of_the_second_loss(tmp_path):
    inputs = keras.Input((1,))
    line = layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="line")
    model = keras.Model(inputs, line(inputs))
    losses = keras.losses.MeanSquaredError(), keras.losses.MeanAbsoluteError()
    model.compile(keras.optimizers.SGD(0.0), loss_switch.SwitchedLoss(*losses, epochs=1))
    x, y = np.array([[1.0], [2.0]]), np.array([[5.0], [10.0]])
    flow = GradientFlow((x, y), tmp_path, every_steps=1)
    callbacks = [*loss_switch.callbacks(model), flow]
    model.fit(x, y, epochs=3, batch_size=1, verbose=0, callbacks=callbacks)
    norms = tensors(tmp_path).Tensors("gradient_norm/line")
    found = [float(tensor_util.make_ndarray(e.tensor_proto)) for e in norms]
    # mean(2 x y) = (10 + 40) / 2, then mean(x) = (1 + 2) / 2
    assert found == pytest.approx([25, 25, 1.5, 1.5, 1.5, 1.5])


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras has one step an execution")
def test_whole_executions_are_traced_but_the_first(tmp_path):
    """Two epochs have executions of 4, 4, 4 and 2 steps each."""
    reported = []
    inputs = keras.Input((1,))
    model = keras.Model(inputs, layers.Dense(1)(inputs))
    model.compile("sgd", "mse", steps_per_execution=4, jit_compile=False)
    x = np.zeros((14, 1), "float32")
    ranges = [(2, 5), (10, 11), (13, 15), (29, 40)]
    tracing = [profile.Profile(tmp_path, traced, reported.append) for traced in ranges]
    model.fit(x, x, epochs=2, batch_size=1, verbose=0, callbacks=tracing)
    *sentences, last = reported
    for sentence, steps in zip(sentences, ("5 to 8", "9 to 12", "13 to 18"), strict=True):
        assert sentence.startswith(f"Traced steps {steps} into {tmp_path}. Read it in TensorBoard")
        assert "pip install xprof" in sentence
    assert last == "--profile: training ended after step 28, nothing was traced."


def test_models_inside_models_are_tuned_trained_watched_and_exported(call, one_process):
    short = ("--trials", 1, "--trial-epochs", 1, "--epochs", 1)
    done = call("--watch", *short, recipe=nested.recipe)
    assert done.code == 0, done.err
    logs = done.folder / "runs/nested/1/logs/training"
    watched = {"block", "chain", "reused", "twice", "wide", "head"}
    found = tags(logs / "activations")
    assert {t.partition("/")[2] for t in found if t.startswith("dead_units/")} == watched
    own = {"body", "chain/link", "reused", "twice", "wide", "head"}
    assert {f"gradient_norm/{name}" for name in own} <= tags(logs / "gradients")
    assert {f"weights/{name}/kernel" for name in own} <= tags(logs / "weights")
    assert tensors(logs / "train").Tags()["graph"]
    assert "Checked in a clean process" in done.out
