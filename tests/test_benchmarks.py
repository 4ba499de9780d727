"""The benchmark's code runs and its results make tables; how fast anything is, no test asserts."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent


def module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


bench = module(ROOT / "benchmarks" / "metric_learning.py")


@pytest.mark.slow
@pytest.mark.tensorflow
def test_a_worker_measures_in_a_process_of_its_own():
    contestant = bench.Contestant(bench.PLAIN)
    assert "kcatalog" in contestant.hear()
    job = {"case": "batch-all", "batch": 16, "classes": 2, "timeout": 120, "memory_mib": 4096}
    row = bench.measure([contestant], job, rounds=1)[bench.PLAIN]
    contestant.end()
    assert (row["failed"], row["turns"], contestant.process.returncode) == (None, 1, 0)
    assert row["seconds"] > 0
    assert np.isfinite(row["value"])


class Stub:
    """A contestant whose worker answers at once."""

    def __init__(self, name):
        self.name = name

    def hear(self):
        return {"kcatalog": "1"}

    def ask(self, request):
        measured = {"seconds": 0.01, "value": float(self.name != bench.FLOOR), "peak_mib": 10.0}
        return measured if request == "step" else {"ready": True}

    def end(self):
        pass


def test_a_run_makes_a_record_a_plot_and_tables(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "Contestant", Stub)
    bench.main(quick=True, peers=False, out=tmp_path)
    assert "differ" not in capsys.readouterr().out
    assert (tmp_path / "metric_learning.png").exists()
    result = json.loads((tmp_path / "metric_learning.json").read_text(encoding="utf-8"))
    assert len(result["rows"]) == 3 * 2 * 2 * 3  # cases, samples a class, batches, contestants
    assert {row["time_to_ours"] for row in result["rows"]} == {1.0}
    assert len(result["slopes"]) == 3 * 2 * 3

    build = module(ROOT / "docs" / "build_readme.py")
    monkeypatch.setattr(build, "MEASURED", tmp_path / "metric_learning.json")
    assert build.peers_in_full().count("| batch-all |") == 2 * 2 + 2


def test_recurrent_layers_are_compared_within_their_environment():
    recurrent = module(ROOT / "benchmarks" / "recurrent.py")
    rows = [
        {"environment": e, "layer": n, "gradient": g, "wall": s, "processor": s / 2}
        for e, n, s in (("JAX", "keras.GRU", 0.4), ("JAX", "MinGRU", 0.1), ("TF", "MinGRU", 0.2))
        for g in (False, True)
    ]
    ours, elsewhere = list(recurrent.cells(rows))[1:]
    assert ours == ["JAX", "MinGRU", "100", "50", "100", "50", "-", "0.25", "-"]
    assert elsewhere[-3:] == ["-", "-", "-"]
    assert recurrent.slope([(64, 0.1), (256, 0.4), (1024, 1.6)]) == pytest.approx(1)
