"""Short programs in the styles of public code: their migrated text, and what it computes.

`tests/golden/make_tfa_programs.py` ran the originals with TensorFlow Addons. If a table or the
codemod changes, `python tests/migrate/test_corpus.py` writes the migrated programs anew: read the
difference before you keep it.
"""

import contextlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from kcatalog.migrate import codemod, table

CORPUS = Path(__file__).parent / "corpus"
BEFORE = sorted((CORPUS / "before").glob("*.py"))
OUTPUTS = Path(__file__).parents[1] / "golden" / "tfa_programs.json"
NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")

pytestmark = pytest.mark.once


def migrated(file):
    """Return the result for one program."""
    return codemod.migrate(file.read_text(encoding="utf-8"), [table.load("tensorflow_addons")])


@pytest.mark.parametrize("file", BEFORE, ids=lambda f: f.stem)
def test_text(file):
    result = migrated(file)
    assert result.code == (CORPUS / "after" / file.name).read_text(encoding="utf-8")
    again = codemod.migrate(result.code, [table.load("tensorflow_addons")])
    assert again.code == result.code
    assert bool(result.of("left")) == file.stem.startswith("left_")


@pytest.mark.parametrize("file", BEFORE, ids=lambda f: f.stem)
def test_a_second_run_with_keras3_changes_nothing(file):
    libraries = [table.load("tensorflow_addons")]
    code = codemod.migrate(file.read_text(encoding="utf-8"), libraries, keras3=True).code
    assert codemod.migrate(code, libraries, keras3=True).code == code


def test_corpus_is_complete():
    assert len(BEFORE) >= 40
    assert {f.name for f in BEFORE} == {f.name for f in (CORPUS / "after").glob("*.py")}
    run = {f.stem for f in BEFORE if not f.stem.startswith("left_")}
    assert run == set(json.loads(OUTPUTS.read_text(encoding="utf-8")))


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", json.loads(OUTPUTS.read_text(encoding="utf-8")))
def test_output(name):
    """The migrated program prints what the original printed with TensorFlow Addons."""
    before = json.loads(OUTPUTS.read_text(encoding="utf-8"))[name]
    code = (CORPUS / "after" / f"{name}.py").read_text(encoding="utf-8")
    assert "tensorflow_addons" not in code
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, f"{name}.py", "exec"), {})  # noqa: S102
    after = out.getvalue()
    assert NUMBER.sub("", before).split() == NUMBER.sub("", after).split()
    numbers = [np.array(NUMBER.findall(text), "float64") for text in (before, after)]
    np.testing.assert_allclose(*numbers, rtol=1e-3, atol=2e-4)


if __name__ == "__main__":
    for program in BEFORE:
        (CORPUS / "after" / program.name).write_text(migrated(program).code, encoding="utf-8")
