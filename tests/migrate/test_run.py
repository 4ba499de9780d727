"""`kcatalog migrate` as a command: folders, notebooks, encodings, reports and exit codes."""

import importlib.util
import json
import os
import stat

import nbformat
import pytest
from typer.testing import CliRunner

from kcatalog import cli
from kcatalog.migrate import run, table

pytestmark = pytest.mark.once

IMPORT = "import tensorflow_addons as tfa\n"
BEFORE = IMPORT + "score = tfa.metrics.F1Score(num_classes=3)\n"
AFTER = "import keras\nscore = keras.metrics.F1Score()\n"
LEFT = IMPORT + "tfa.text.parse_time(1)\n"


def command(*arguments):
    """Run the command, and return its exit code and what it prints."""
    result = CliRunner().invoke(cli.app, ["migrate", *map(str, arguments)])
    if isinstance(result.exception, cli.UsageError):
        return 2, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def put(folder, **files):
    """Write files, `a__b="..."` being `a/b.py`."""
    for name, text in files.items():
        file = folder / (name.replace("__", "/") + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def texts(folder):
    """Return the content of all files."""
    return {f.relative_to(folder).as_posix(): f.read_text() for f in folder.rglob("*.py")}


# --- modes and exit codes ---------------------------------------------------------------


def test_a_dry_run_is_the_default(tmp_path):
    put(tmp_path, a=BEFORE)
    code, out = command(tmp_path)
    assert code == 0
    assert "1 use rewritten, 0 left, in 1 file. Nothing is written yet" in out
    assert texts(tmp_path) == {"a.py": BEFORE}


def test_diff(tmp_path):
    put(tmp_path, a=BEFORE)
    code, out = command(tmp_path, "--diff")
    assert code == 0
    for line in ("-import tensorflow_addons as tfa", "+import keras", "+++ b/"):
        assert f"{line}" in out
    assert texts(tmp_path) == {"a.py": BEFORE}


def test_write(tmp_path):
    put(tmp_path, a=BEFORE, b="x = 1\n")
    (tmp_path / "a.py").chmod(0o750)
    before = os.stat(tmp_path / "b.py").st_mtime_ns
    code, out = command(tmp_path, "--write")
    assert code == 0
    assert "1 use rewritten, 0 left, in 1 file." in out
    assert texts(tmp_path) == {"a.py": AFTER, "b.py": "x = 1\n"}
    assert stat.S_IMODE(os.stat(tmp_path / "a.py").st_mode) == 0o750
    assert os.stat(tmp_path / "b.py").st_mtime_ns == before
    assert "0 uses rewritten" in command(tmp_path, "--write")[1]


def test_what_is_left_gives_exit_code_1(tmp_path):
    put(tmp_path, a=LEFT)
    code, out = command(tmp_path)
    assert code == 1
    assert "a.py:2: text.parse_time:" in " ".join(out.split())
    code, out = command(tmp_path, "--write")
    assert code == 1
    assert "a.py:3: text.parse_time:" in " ".join(out.split())
    written = texts(tmp_path)
    assert "# kcatalog migrate: text.parse_time" in written["a.py"]
    assert command(tmp_path, "--write")[0] == 1
    assert texts(tmp_path) == written


def test_a_file_that_cannot_be_parsed_is_named_and_the_others_are_done(tmp_path):
    put(tmp_path, a=IMPORT + "print 'x'\n", b=BEFORE)
    code, out = command(tmp_path, "--write")
    assert code == 1
    assert "a.py: it is not Python" in out
    assert texts(tmp_path)["b.py"] == AFTER


def test_a_file_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    put(tmp_path, a=BEFORE, b=BEFORE)

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run.Path, "write_bytes", full)
    code, out = command(tmp_path, "--write")
    assert code == 1
    assert "cannot write it: No space left on device" in out
    assert texts(tmp_path) == {"a.py": BEFORE, "b.py": BEFORE}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no/such/folder"], "There is no no/such/folder"),
        ([".", "--diff", "--write"], "not both"),
        ([".", "--library", "tensorflow_adons"], "tensorflow_addons"),
    ],
)
def test_usage_errors(arguments, message):
    code, out = command(*arguments)
    assert code == 2
    assert message in out


def test_without_libcst_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert command(tmp_path) == (
        2,
        "LibCST is missing. Install it with: pip install 'kcatalog[migrate]'",
    )


def test_keras3(tmp_path):
    put(tmp_path, a="import tensorflow as tf\ntf.keras.Input((1,))\n")
    assert command(tmp_path)[0] == 0
    assert texts(tmp_path)["a.py"].startswith("import tensorflow")
    command(tmp_path, "--keras3", "--write")
    assert texts(tmp_path) == {"a.py": "import keras\nkeras.Input((1,))\n"}


# --- files ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + BEFORE.encode(),
        BEFORE.replace("\n", "\r\n").encode(),
        b"# -*- coding: latin-1 -*-\n# \xe4\n" + BEFORE.encode(),
        BEFORE.rstrip("\n").encode(),
    ],
    ids=["mark", "newlines", "latin", "last-line"],
)
def test_encoding_and_newlines_stay(tmp_path, data):
    file = tmp_path / "a.py"
    file.write_bytes(data)
    assert command(file, "--write")[0] == 0
    old = [IMPORT.encode(), b"tfa.metrics.F1Score(num_classes=3)"]
    new = [b"import keras\n", b"keras.metrics.F1Score()"]
    if b"\r\n" in data:
        old[0], new[0] = (x.replace(b"\n", b"\r\n") for x in (old[0], new[0]))
    expected = data.replace(old[0], new[0]).replace(old[1], new[1])
    assert file.read_bytes() == expected


def test_files_without_the_library_are_not_parsed(tmp_path, monkeypatch):
    put(tmp_path, a="x = 1\n", b="this is no Python\n", venv__c=BEFORE, d__e=BEFORE)
    seen = []
    monkeypatch.setattr(run.codemod, "migrate", lambda text, *more: seen.append(text) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run.run([tmp_path], run.Options(("tensorflow_addons",)))
    assert seen == [BEFORE]


def test_requirements_are_mentioned(tmp_path):
    (tmp_path / "requirements.txt").write_text("numpy\ntensorflow_addons>=0.16\n")
    code, out = command(tmp_path)
    assert code == 1
    assert "install kcatalog instead" in out.partition("Left for you")[2]
    assert "requirements.txt:2" in "".join(out.split())


def test_names_that_files_pass_on(tmp_path):
    put(
        tmp_path,
        pkg__base=IMPORT + "from tensorflow_addons.metrics import F1Score\n",
        pkg__use="from .base import tfa, F1Score\nF1Score(3)\ntfa.losses.PinballLoss(tau=0.1)\n",
        main="from pkg.base import F1Score\nimport pkg.base\npkg.base.F1Score(2)\nF1Score(2)\n",
        other="from elsewhere.base import F1Score\nF1Score(3)\n",
    )
    assert command(tmp_path, "--write")[0] == 0
    assert texts(tmp_path) == {
        "pkg/base.py": "",
        "pkg/use.py": "import kcatalog\nfrom keras.metrics import F1Score\nF1Score()\n"
        "kcatalog.losses.Pinball(tau=0.1)\n",
        "main.py": "from keras.metrics import F1Score\nimport keras\nimport pkg.base\n"
        "keras.metrics.F1Score()\nF1Score()\n",
        "other.py": "from elsewhere.base import F1Score\nF1Score(3)\n",
    }


def test_a_name_that_another_file_still_needs_stays(tmp_path):
    put(tmp_path, base=IMPORT, use="from base import tfa\ntfa.text.parse_time(1)\n")
    assert command(tmp_path, "--write")[0] == 1
    assert texts(tmp_path)["base.py"].endswith(IMPORT)
    assert "other files may import it" in texts(tmp_path)["base.py"]


def test_many_files_are_shared_among_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "MANY", 3)
    put(tmp_path, **{f"m{i}": BEFORE for i in range(4)})
    shown = []
    outcomes = run.run(
        [tmp_path], run.Options(("tensorflow_addons",)), lambda n, of: shown.append((n, of))
    )
    assert [o.new.decode() for o in outcomes] == [AFTER] * 4
    assert shown == [(n, 4) for n in range(5)]


# --- notebooks --------------------------------------------------------------------------


def test_notebook(tmp_path):
    cells = [
        "!pip install -q 'tensorflow-addons==0.16.1' tqdm\n%matplotlib inline\n" + IMPORT,
        "%%bash\nls tensorflow_addons",
        "files = !ls\nif files:\n    !echo \\\n  two\nscore = tfa.metrics.F1Score(3)\nscore?",
        "tfa.text.parse_time(1)",
        "print 'tensorflow_addons'",
    ]
    book = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("tfa.metrics"),
            *map(nbformat.v4.new_code_cell, cells),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "ä"}},
    )
    book.cells[3].outputs = [nbformat.v4.new_output("stream", text="tfa.metrics\n")]
    file = tmp_path / "a.ipynb"
    nbformat.write(book, file)
    before = file.read_text(encoding="utf-8")
    code, out = command(file, "--write")
    assert code == 1
    assert "a.ipynb:cell 4, line 2" in " ".join(out.split())
    assert "a.ipynb:cell 5, line 1: cell: this cell is not Python" in " ".join(out.split())
    after = nbformat.read(file, 4)
    nbformat.validate(after)
    expected = [
        "!pip install -q kcatalog tqdm\n%matplotlib inline\nimport keras\n" + IMPORT.rstrip("\n"),
        cells[1],
        cells[2].replace("tfa.metrics.F1Score(3)", "keras.metrics.F1Score()"),
    ]
    code_cells = [c.source for c in after.cells if c.cell_type == "code"]
    assert [c.rstrip("\n") for c in code_cells[:3]] == expected
    assert code_cells[3].endswith("\ntfa.text.parse_time(1)")
    assert code_cells[4] == cells[4]
    assert after.metadata == book.metadata
    assert after.cells[3].outputs == book.cells[3].outputs
    changed = set(file.read_text(encoding="utf-8").splitlines()) - set(before.splitlines())
    assert len(changed) == 4
    command(file, "--write")
    assert nbformat.read(file, 4) == after


@pytest.mark.parametrize("indent", [None, 1, 2, "\t"])
def test_a_notebooks_json_is_set_out_as_before(tmp_path, indent):
    cell = {"cell_type": "code", "source": [*BEFORE.splitlines(keepends=True)], "z": 1e-05, "a": 2}
    book = {"cells": [cell], "nbformat": 4}
    file = tmp_path / "a.ipynb"
    file.write_text(json.dumps(book, indent=indent))
    assert command(file, "--write")[0] == 0
    cell["source"] = [*AFTER.splitlines(keepends=True)]
    assert file.read_text() == json.dumps(book, indent=indent)


def test_a_broken_notebook_is_named(tmp_path):
    file = tmp_path / "a.ipynb"
    file.write_text("{ tensorflow_addons")
    code, out = command(file)
    assert code == 1
    assert "it is no notebook that can be read" in out


def test_every_table_is_a_library_of_the_command():
    assert "tensorflow_addons" in table.names()
    assert run.Options(tuple(table.names())).concern(b"import tensorflow_addons")
