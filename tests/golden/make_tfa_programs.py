"""Run the programs of `tests/migrate/corpus/before` and store what they print.

Needs TensorFlow Addons 0.23.0 on TensorFlow 2.15: see README.md. Run it from the root of the
repository: `python tests/golden/make_tfa_programs.py`.
"""

import contextlib
import io
import json
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = HERE.parent / "migrate" / "corpus" / "before"


def printed(file: Path) -> str:
    """Return what a program prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), {})  # noqa: S102
    return out.getvalue()


if __name__ == "__main__":
    runnable = sorted(f for f in PROGRAMS.glob("*.py") if not f.stem.startswith("left_"))
    outputs = {f.stem: printed(f) for f in runnable}
    text = json.dumps(outputs, indent=1, sort_keys=True)
    (HERE / "tfa_programs.json").write_text(text + "\n", encoding="utf-8")
