"""The benchmarks run, and their answers make tables; how fast anything is, no test asserts."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "benchmarks" / "metric_learning.py"


@pytest.mark.slow
@pytest.mark.tensorflow
def test_metric_learning_measures(tmp_path, monkeypatch):
    command = [sys.executable, SCRIPT, "--quick", "--no-peers", "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "differ" not in done.stdout
    result = json.loads((tmp_path / "metric_learning.json").read_text(encoding="utf-8"))
    assert len(result["rows"]) == 3 * 2 * 2 * 3  # cases, samples a class, batches, contestants
    for row in result["rows"]:
        assert row["failed"] is None
        assert row["seconds"] > 0
        assert row["turns"] == 1
    assert len(result["slopes"]) == 3 * 2 * 3

    spec = importlib.util.spec_from_file_location("build", ROOT / "docs" / "build_readme.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    monkeypatch.setattr(build, "MEASURED", tmp_path / "metric_learning.json")
    assert build.peers_in_full().count("| batch-all |") == 2 * 2 + 2
