"""The page "Check your own part" is true: its files run as they stand, with the output it shows."""

import re
import sys
from pathlib import Path

import keras
import pytest
from typer.testing import CliRunner

from kcatalog import cli
from kcatalog.conformance import checks_for

PAGE = (Path(__file__).parents[1] / "docs" / "check_your_own_part.md").read_text(encoding="utf-8")
PARTS, TESTS, SCRIPT = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def my_parts(tmp_path, monkeypatch):
    """The page's module, importable as a reader's would be."""
    (tmp_path / "my_parts.py").write_text(PARTS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("my_parts", None)
    yield __import__("my_parts")
    sys.modules.pop("my_parts")


@pytest.mark.slow
def test_commands_print_what_the_page_shows(my_parts):
    runner = CliRunner(env={"COLUMNS": "200"})
    args = ["check", "my_parts:ScaledTanh", "--args", "input_dim=8", "--shape", "5,8"]
    assert f'kcatalog {args[0]} {args[1]} --args "{args[3]}" --shape {args[5]}' in PAGE
    done = runner.invoke(cli.app, args)
    assert done.exit_code == 0, done.output
    assert " passed, 0 failed" in done.output.splitlines()[-1]
    done = runner.invoke(cli.app, ["check", "my_parts:FocalLoss"])
    assert done.exit_code == 1
    (shown,) = re.findall(r"\.\.\.\n(FAIL.*?)```", PAGE, re.DOTALL)
    flat = " ".join(done.output.split())
    for fault in shown.split("FAIL")[1:]:
        assert f"FAIL {' '.join(fault.split())}" in flat


def test_pytest_file_collects_the_checks(my_parts):
    names = {}
    exec(TESTS, names)  # noqa: S102 - the page's own test file
    (mark,) = names["test_part"].pytestmark
    cases = {case.id: case.values[0] for case in mark.args[1]}
    assert "layers-ScaledTanh-gradients_exact" in cases
    for check in cases.values():
        if not check.slow:
            names["test_part"](check)


def test_script_names_the_faults(my_parts, capsys):
    exec(SCRIPT, {})  # noqa: S102 - the page's own script
    assert "'config_complete', " in capsys.readouterr().out


def test_mended_loss_passes(my_parts):
    class Mended(my_parts.FocalLoss):
        def call(self, y_true, y_pred):
            epsilon = keras.config.epsilon()
            return super().call(y_true, keras.ops.clip(y_pred, epsilon, 1 - epsilon))

        def get_config(self):
            return {**super().get_config(), "gamma": self.gamma}

    for check in checks_for(Mended):
        if not check.slow:
            check.run()
