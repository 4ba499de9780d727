"""`kcatalog new`: what it writes passes as it is."""

import importlib

import pytest
from typer.testing import CliRunner

from kcatalog import cli
from kcatalog.new import KINDS, exported, write_part


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_passes_as_it_is(kind, tmp_path, monkeypatch):
    """Run the test that is written, without the checks that compile or train."""
    name = f"New{kind.capitalize()}"
    _, test = write_part(kind, name, tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    test_conformance = importlib.import_module(test.stem).test_conformance
    (mark,) = test_conformance.pytestmark
    checks = [case.values[0] for case in mark.args[1]]
    assert checks
    assert {check.subject.name for check in checks} == {name}
    for check in checks:
        if not check.slow:
            test_conformance(check)


def test_in_a_package(tmp_path, monkeypatch):
    package = tmp_path / "new_package" / "layers"
    package.mkdir(parents=True)
    (tmp_path / "new_package" / "__init__.py").write_text("")
    (package / "__init__.py").write_text('"""Layers."""\n\n__all__ = []\n')
    (tmp_path / "tests").mkdir()
    result = CliRunner().invoke(cli.app, ["new", "layer", "MyScale2D", str(package)])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "tests" / "test_my_scale2d.py").read_text().splitlines()[1] == (
        "from new_package.layers.my_scale2d import MyScale2D"
    )
    assert (package / "__init__.py").read_text() == (
        '"""Layers."""\n\nfrom .my_scale2d import MyScale2D\n\n__all__ = ["MyScale2D"]\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.import_module("new_package.layers").MyScale2D.__name__ == "MyScale2D"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "from .m import M\n"),
        ("from .a import A\n", "from .a import A\nfrom .m import M\n"),
        ("from .a import A\nx = 1\n", "from .a import A\nfrom .m import M\n\nx = 1\n"),
        (
            "from .a import A\n\n__all__ = [\n    'A',\n]\n",
            'from .a import A\nfrom .m import M\n\n__all__ = ["A", "M"]\n',
        ),
    ],
)
def test_exports(text, wanted):
    assert exported(text, "m", "M") == wanted


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["layr", "MyLayer"], "Did you mean 'layer'"),
        (["layer", "my_layer"], "CamelCase"),
        (["layer", "MyLayer", "missing"], "no folder missing"),
        (["layer", "Taken"], "exists already"),
    ],
)
def test_refusals_write_nothing(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_taken.py").write_text("")
    result = CliRunner().invoke(cli.app, ["new", *arguments])
    assert isinstance(result.exception, cli.UsageError)
    assert message in str(result.exception)
    assert [f.name for f in tmp_path.iterdir()] == ["test_taken.py"]
