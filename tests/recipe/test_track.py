"""`--track`: what reaches MLflow's file store, and a stand-in for Weights & Biases."""

import importlib.machinery
import sys
from types import ModuleType, SimpleNamespace

import pytest

from kcatalog.recipe.commands import steps
from kcatalog.recipe.files import run_toml, rundir
from kcatalog.recipe.monitoring import track
from kcatalog.recipe.terminal.errors import RecipeError


@pytest.fixture
def run(tmp_path):
    with rundir.begin("tiny", tmp_path / "run", {"settings": {}}) as run:
        yield run


@pytest.fixture
def mlflow(tmp_path, monkeypatch):
    """MLflow with a store of files."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    return pytest.importorskip("mlflow")


@pytest.mark.slow
def test_a_run_in_mlflow_has_its_trials_epochs_scores_and_file(call, mlflow, monkeypatch):
    monkeypatch.setattr(steps, "export_run", lambda *_: None)
    options = ("--trials", 2, "--trial-epochs", 1, "--epochs", 2)
    done = call(*options, "--track", "mlflow")
    assert done.code == 0, done.err
    client = mlflow.MlflowClient()
    (experiment,) = client.search_experiments(filter_string="name = 'tiny'")
    last, *trials = sorted(
        client.search_runs([experiment.experiment_id]), key=lambda r: r.info.run_name
    )
    assert [r.info.run_name for r in (last, *trials)] == ["tiny/1", "trial 0", "trial 1"]
    assert {r.info.status for r in (last, *trials)} == {"FINISHED"}
    for trial in trials:
        assert trial.data.tags["mlflow.parentRunId"] == last.info.run_id
        assert "val_accuracy" in trial.data.metrics
        assert trial.data.params["optimizer"] in ("Adam", "SGD")
    epochs = client.get_metric_history(last.info.run_id, "val_loss")
    assert [m.step for m in epochs] == [0, 1]
    drawn = run_toml.read(done.run / "run.toml")["hyperparameters"]
    assert last.data.params == {name: str(value) for name, value in drawn.items()}
    assert last.data.metrics.keys() >= {"test accuracy", "test accuracy of the baseline"}
    assert [f.path for f in client.list_artifacts(last.info.run_id)] == ["run.toml"]

    assert call("evaluate", "--track", "mlflow").code == 0  # adds to the same one
    assert len(client.search_runs([experiment.experiment_id])) == 3


def test_names_that_mlflow_does_not_allow(run, mlflow):
    with track.tracked("mlflow", run, print) as tracking:
        tracking.send("scores", {"recall@1, raw features": 0.5})
    stored = mlflow.MlflowClient().get_run(run.facts["tracked"]["mlflow"])
    assert stored.data.metrics == {"recall_1_ raw features": 0.5}


@pytest.fixture
def wandb(monkeypatch, tmp_path):
    """A stand-in for the package, which notes its calls."""
    module, module.runs = ModuleType("wandb"), []

    def init(**options):
        made = {"options": options, "config": {}, "summary": {}, "logged": []}
        module.runs.append(made)
        return SimpleNamespace(
            id=options["id"] or f"id{len(module.runs)}",
            config=SimpleNamespace(update=lambda v, **_: made["config"].update(v)),
            summary=made["summary"],
            log=lambda values, step: made["logged"].append((step, values)),
            dir=str(tmp_path),
            finish=lambda exit_code: made.update(exit_code=exit_code),
        )

    module.init, module.Settings = init, dict
    module.__spec__ = importlib.machinery.ModuleSpec("wandb", None)
    monkeypatch.setitem(sys.modules, "wandb", module)
    return module


def test_a_run_in_wandb(run, wandb, tmp_path):
    track.check("wandb")
    parts = [[{"loss": 2.0}, {"loss": 1.0}], [{"loss": 4.0}, {"loss": 3.0}]]
    with track.tracked("wandb", run, print) as tracking:
        tracking.send("trial", "0", {"units": 4}, parts)
        tracking.send("parameters", {"units": 8})
        (callback,) = tracking.callbacks()
        callback.on_epoch_end(3, {"loss": 0.5})
        tracking.send("scores", {"test accuracy": 0.9})
    whole, trial = wandb.runs
    assert whole["options"]["project"] == "tiny"
    assert (whole["config"], whole["logged"]) == ({"units": 8}, [(3, {"loss": 0.5})])
    assert (whole["summary"], whole["exit_code"]) == ({"test accuracy": 0.9}, 0)
    assert (tmp_path / "run.toml").read_bytes() == (run.path / "run.toml").read_bytes()
    assert (trial["options"]["group"], trial["options"]["name"]) == ("id1", "trial 0")
    assert [r["options"]["settings"]["silent"] for r in (whole, trial)] == [False, True]
    assert trial["config"] == {"units": 4}
    assert trial["logged"] == [
        (0, {"fold_1/loss": 2.0, "fold_2/loss": 4.0}),
        (1, {"fold_1/loss": 1.0, "fold_2/loss": 3.0}),
    ]
    with (
        pytest.raises(KeyboardInterrupt),
        track.tracked("wandb", rundir.find("tiny", run.path), print),
    ):
        raise KeyboardInterrupt
    assert wandb.runs[-1]["options"]["id"] == "id1"
    assert wandb.runs[-1]["exit_code"] == 1


def test_a_service_that_fails_ends_the_tracking_and_not_the_run(run, wandb):
    said = []
    with track.tracked("wandb", run, said.append) as tracking:
        for _ in range(2):
            tracking.send("metrics", None)  # an argument too few
        assert tracking.callbacks() == []
    (sentence,) = said
    assert sentence.startswith("Tracking has ended, and the run goes on: ")
    wandb.init = None
    with (
        pytest.raises(RecipeError, match="--track wandb: the run cannot be tracked: "),
        track.tracked("wandb", run, print),
    ):
        pass


@pytest.mark.parametrize("kind", track.SERVICES)
def test_a_missing_package_is_one_sentence(monkeypatch, kind):
    monkeypatch.setattr(track.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RecipeError) as refused:
        track.check(kind)
    sentence = f"--track {kind} needs the package {kind}, which is not installed. "
    assert str(refused.value) == f'{sentence}Install it with: pip install "kcatalog[{kind}]"'
