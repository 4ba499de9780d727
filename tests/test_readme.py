"""The README is true: its code runs, its tables are current, its files exist."""

import importlib.util
import re
from pathlib import Path

import keras
import pytest

import kcatalog

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def build_readme():
    spec = importlib.util.spec_from_file_location("build", ROOT / "docs" / "build_readme.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    return build


@pytest.mark.parametrize("path", build_readme().FILES, ids=lambda path: path.name)
def test_generated_tables_are_current(path):
    text = path.read_text(encoding="utf-8")
    assert build_readme().render(text) == text, "run `make readme`"


@pytest.mark.slow
def test_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    alone = [code for code in examples if "saved_models/" not in code]  # needs a finished run
    assert len(alone) >= 2
    for code in alone:
        exec(code, {})  # noqa: S102 - what the README offers to paste
    assert (tmp_path / "model.keras").exists()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"[\w/]+\.(?:py|png|md)\b", TEXT))), ids=str)
def test_named_files_exist(path):
    if path not in ("some.png", "other.png", "my_cnn.py"):  # the reader's own
        assert (ROOT / path).exists()


def test_named_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"\bmake ([a-z-]+)", TEXT)) - {"a"}
    assert {"demo", "test"} <= targets
    assert all(re.search(rf"^{t}:", makefile, re.MULTILINE) for t in targets)


def test_table_of_other_libraries_names_what_exists():
    text = (ROOT / "docs" / "coming_from.md").read_text(encoding="utf-8")
    right = [line.split("|")[2] for line in text.splitlines() if line.startswith("| `")]
    kinds = "losses|metrics|layers|samplers|optimizers|ops"
    named = re.findall(rf"`(keras\.|kcatalog\.)?({kinds})\.(\w+)", "".join(right))
    assert len(named) > 40
    for library, module, name in named:
        if name != "MultiOptimizer":  # new in Keras 3.15
            assert hasattr(getattr(keras if library == "keras." else kcatalog, module), name), name
