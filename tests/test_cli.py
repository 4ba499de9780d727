import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kcatalog import cli, doctor

COMMAND = Path(sys.executable).with_name("kcatalog")


@pytest.fixture
def run():
    """Runs the command line in this process; (exit code, output)."""

    def invoke(*args):
        result = CliRunner().invoke(cli.app, list(args))
        if isinstance(result.exception, cli.UsageError | LookupError):
            return 2, str(result.exception.args[0])
        return result.exit_code, result.output

    return invoke


def test_list_filters(run):
    code, output = run("list", "--kind", "layers", "--text", "squeeze-and-excitation:", "--json")
    assert code == 0
    (part,) = json.loads(output)
    assert part["path"] == "kcatalog.layers.SqueezeExcite"
    assert part["search_space"] == {"ratio": "2 | 4 | 8 | 16"}


def test_list_shows_both_shelves(run):
    code, output = run("list", "--kind", "optimizers")
    assert code == 0
    assert "Lookahead" in output
    assert "Adam" in output


def test_show_tells_everything(run):
    code, output = run("show", "TripletSemiHard")
    assert code == 0
    for word in ("margin", "inf)", "Schroff", "Search space", "Shapes", "TripletSemiHard("):
        assert word in output


def test_direction_of_a_metric_is_told(run):
    assert "Better: higher\n" in run("show", "RecallAtK")[1]
    _, output = run("list", "--text", "EmbeddingDistance", "--json")
    (part,) = json.loads(output)
    assert part["better"].startswith("lower for pairs='positive', higher for pairs='negative'")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("show", "TripletSemiHrad"), "Did you mean 'TripletSemiHard'?"),
        (
            ("show", "TripletSemiHardLoss"),
            "Addons use kcatalog.losses.TripletSemiHard.",
        ),
        (("list", "--kind", "layrs"), "Did you mean 'layers'?"),
        (("list", "--tag", "maskng"), "Did you mean 'masking'?"),
        (("check", "no_such_module:X"), "There is no module 'no_such_module'"),
        (("check", "json:JSONDecodr"), "Did you mean 'JSONDecoder'?"),
        (("check", "json:JSONDecoder"), "must derive from a Keras layer"),
    ],
)
def test_wrong_words_get_one_sentence(run, args, message):
    code, output = run(*args)
    assert code == 2
    assert message in output


def test_misspelt_name_ends_with_code_2_and_no_traceback():
    command = [sys.executable, "-m", "kcatalog", "show", "Squeeze"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: There is no part called 'Squeeze'.")
    assert "Traceback" not in done.stderr


def test_list_takes_a_kind_in_the_singular(run):
    assert run("list", "--kind", "loss") == run("list", "--kind", "losses")


def test_list_and_show_import_no_backend():
    code = (
        "import sys; from kcatalog import cli, registry; registry.catalog();"
        "print([m for m in ('keras', 'tensorflow', 'jax', 'torch', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


USERS_CLASSES = """
    import keras
    from keras import ops


    class Forgetful(keras.regularizers.Regularizer):
        def __init__(self, factor=1.0):
            self.factor = factor

        def __call__(self, w):
            return ops.sum(ops.square(w)) * self.factor

        def get_config(self):
            return {}


    class NeedsArguments(keras.constraints.Constraint):
        def __init__(self, factor):
            self.factor = factor

        def __call__(self, w):
            return w / self.factor

        def get_config(self):
            return {"factor": self.factor}
"""


def test_check_finds_the_fault_of_a_users_class_without_a_card(tmp_path, monkeypatch, run):
    (tmp_path / "mine.py").write_text(textwrap.dedent(USERS_CLASSES))
    monkeypatch.chdir(tmp_path)
    code, output = run("check", "mine:Forgetful")
    assert code == 1, output
    assert "Checking Forgetful() on a weight of shape (4, 3)" in output
    assert "pass  " in output
    assert "FAIL  config_complete" in output
    assert "would reload with default arguments" in " ".join(output.split())


def test_check_takes_arguments_and_shape(tmp_path, monkeypatch, run):
    (tmp_path / "mine.py").write_text(textwrap.dedent(USERS_CLASSES))
    monkeypatch.chdir(tmp_path)
    code, output = run("check", "mine:NeedsArguments")
    assert code == 2
    assert 'cannot be built without `factor`. Give constructor arguments: --args "factor=..."' in (
        " ".join(output.split())
    )
    code, output = run("check", "mine:NeedsArguments", "--args", "factor=2.0", "--shape", "2,5")
    assert code == 0, output
    assert "Checking NeedsArguments(factor=2.0) on a weight of shape (2, 5)" in output


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--shape", "5x8"), "such as 5,8. Received: 5x8"),
        (("--args", "2"), "keyword arguments with literal values"),
        (("--args", "units=["), "keyword arguments with literal values"),
        (("--args", "cell=open('x')"), "keyword arguments with literal values"),
    ],
)
def test_wrong_options_of_check_get_one_sentence(run, option, message):
    code, output = run("check", "GroupLasso", *option)
    assert code == 2
    assert message in " ".join(output.split())


def test_doctor_reports(run):
    code, output = run("doctor")
    assert code == 0
    assert output.index("Starting Keras") < output.index("Backend: ")
    assert "Export to SavedModel: ready" in output
    pyproject = Path(cli.__file__).parents[2].joinpath("pyproject.toml").read_text()
    for extra in re.findall(r'install "kcatalog\[([a-z]+)\]"', output):
        assert f"\n{extra} = [" in pyproject
    assert '"kcatalog[gpu]"' in output or "GPU: found" in output
    assert "-e" not in output.split()


@pytest.mark.parametrize(
    ("tensorboard", "setuptools", "warned"),
    [("2.20.0", "82.0.1", True), ("2.20.0", "81.0.0", False), ("2.21.0", "84.2.1", False)],
)
def test_doctor_warns_of_tensorboard_without_pkg_resources(
    run, monkeypatch, tensorboard, setuptools, warned
):
    versions = {"tensorboard": tensorboard, "setuptools": setuptools}
    monkeypatch.setattr(doctor, "_version", lambda package: versions.get(package))
    _, output = run("doctor")
    assert ('pip install "setuptools<82"' in " ".join(output.split())) == warned


def test_help_tells_of_each_command_in_a_line_that_is_not_cut(run):
    _, output = run("--help")
    assert "..." not in output.split("Commands:")[1]
