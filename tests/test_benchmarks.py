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
def test_a_worker_measures_in_a_process_of_its_own(monkeypatch):
    monkeypatch.setattr(bench, "SLOW", np.inf)  # on a busy machine the first step takes long
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


def test_steps_of_optimizers_make_a_table(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    optimizers = module(ROOT / "benchmarks" / "optimizers.py")
    row = {"ms": 2.0, "adam_ms": 1.0, "wall": 2.0, "processor": 1.5, "state": 8.0}
    rows = {
        "Yogi": {**row, "wrapper": False},
        "Lookahead": {**row, "state": 4.0, "wrapper": True},
        "SAM": {"failed": "ValueError: no", "wrapper": True},
    }
    peers = {"optax": {"Yogi": {"ms": 1.0, "processor": 1.25}, "Adam": {"ms": 0.5}}}
    record = {"backend": "jax", "sizes": {"10": {"rows": rows, "peers": peers}}}
    lines = list(optimizers.table(record, "10"))
    assert "| `Yogi` | 2 | 1.50 | 8 | 8 | - | - | 1.25 | - |" in lines
    assert "| `Lookahead` around Adam | 2 | 1.50 | 4 | 4 | - | - | - | - |" in lines
    assert lines[-1].startswith("| `SAM` around Adam | not measured: ValueError: no |")

    page = tmp_path / "RESULTS.md"
    page.write_text("# What was measured\n", encoding="utf-8")
    monkeypatch.setattr(optimizers, "PAGE", page)
    for text in ("first", "second"):
        optimizers.write(text, "jax")
        optimizers.write("other", "torch")
    found = page.read_text(encoding="utf-8")
    assert "first" not in found
    assert (found.count("second"), found.count("other"), found.count("## Steps")) == (1, 1, 1)


def curves(monkeypatch):
    """Return the benchmark of learning curves with runs that end at once."""
    found = module(ROOT / "benchmarks" / "optimizer_curves.py")
    trained = []

    class Trainer:
        def __init__(self, problem, name, entry):
            self.problem, self.name = problem, name

        def run(self, rate, seed):
            trained.append((self.problem, self.name, rate, seed))
            if self.name == "Nadam":
                raise ValueError("cannot")
            loss = abs(np.log(rate / 0.01)) + 0.1 * seed + (self.name == "SGD")
            curve = [loss + 1, loss]
            scores = {"last": loss, "test": loss, "accuracy": 0.9}
            return {"validation": curve, **scores, "seconds": 1.0}

    monkeypatch.setattr(found, "Trainer", Trainer)
    return found, trained


def test_learning_curves_go_on_where_they_were_stopped(monkeypatch, tmp_path, capsys):
    bench, trained = curves(monkeypatch)
    path, names = tmp_path / "curves.json", ["Adam", "SGD", "Nadam"]
    bench.run(["table_mlp"], names[:1], path)
    assert len(trained) == 6 + 2
    runs = bench.run(["table_mlp"], names, path)
    assert len(trained) == len(set(trained)) == 2 * (6 + 2) + 6
    rows, failed = bench.summary(bench.load(path), "table_mlp")
    assert [row["name"] for row in rows] == ["Adam", "SGD"]
    assert failed == [("Nadam", "ValueError: cannot")]
    text = bench.report(runs)
    words = " ".join(text.split())
    assert (
        "of `Adam`; 0 of the other 1 methods are within two standard errors of it. `Adam` is"
        in words
    )
    assert "Only `SGD` is worse than Adam by more than two standard errors." in words
    assert "In 0 of 1 comparisons with Adam, the other method is better" in words
    assert "In 1 of all 2 rows the best rate is the lowest or the highest" in words
    assert "`Nadam` did not train: ValueError: cannot" in text
    monkeypatch.setattr(bench, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(bench, "PLOTS", tmp_path)
    bench.PAGE.write_text(f"before\n{bench.MARKS[0]}\nold\n{bench.MARKS[1]}\nafter\n")
    bench.render(runs)
    assert bench.PAGE.read_text(encoding="utf-8").endswith(f"{bench.MARKS[1]}\nafter\n")
    drawn = (tmp_path / bench.file("table_mlp")).read_text(encoding="utf-8")
    assert "SGD" in drawn
    assert all(color in drawn for color in bench.COLORS[:2])


def test_transfer_learns_from_few_images_and_is_scored_on_others(tmp_path):
    transfer = module(ROOT / "benchmarks" / "transfer.py")
    transfer.write_images(tmp_path, seed=0)
    files = {
        part: {f.name for f in (tmp_path / part).glob("*/*.png")}
        for part in ("known", "few/train", "few/test")
    }
    assert sorted(f.name for f in (tmp_path / "few" / "train").iterdir()) == list("56789")
    assert len(files["few/train"]) == 5 * transfer.SAMPLES
    assert len(set.union(*files.values())) == sum(map(len, files.values())) == 1797
