"""The scaling model: against a ring that is walked round by round, and as its user runs it."""

import importlib.util
import subprocess
import sys

import pytest

from tests.recipe.conftest import ROOT

SCRIPT = ROOT / "benchmarks" / "scaling.py"
spec = importlib.util.spec_from_file_location("scaling", SCRIPT)
scaling = sys.modules["scaling"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(scaling)

STEP = scaling.Step(batch=64, fixed=0.002, per_sample=0.001, parameters=1e6)
NETWORK = scaling.Network(across=1e9, latency=1e-4, inside=1e10, latency_inside=1e-5)


def walked_ring(members, size, bandwidth, latency):
    """Every member passes a chunk on until all have the sum of all chunks; seconds it takes."""
    known = [[{m} for _ in range(members)] for m in range(members)]
    seconds, rounds = 0.0, 0
    while not all(len(chunk) == members for own in known for chunk in own):
        sent = [(m, (m - rounds) % members) for m in range(members)]
        values = [set(known[m][c]) for m, c in sent]
        for (m, c), value in zip(sent, values, strict=True):
            known[(m + 1) % members][c] |= value
        seconds, rounds = seconds + size / members / bandwidth + latency, rounds + 1
    return seconds


@pytest.mark.parametrize("members", [1, 2, 3, 8])
def test_reference_ring(members):
    expected = walked_ring(members, 4e6, 1e9, 1e-4)
    assert scaling.ring(members, 4e6, 1e9, 1e-4) == pytest.approx(expected)


def test_one_device_is_what_was_measured():
    for weak in (True, False):
        alone = scaling.predict(STEP, NETWORK, 1, 1, weak)
        assert (alone.seconds, alone.reduce, alone.batch) == (pytest.approx(0.066), 0, 64)
        assert alone.rate == pytest.approx(64 / 0.066)


def test_many_devices_by_hand():
    shared = scaling.predict(STEP, NETWORK, hosts=2, devices=4, weak=False)
    reduce = 2 * 3 * (1e6 / 1e10 + 1e-5) + 2 * (2e6 / 1e9 + 1e-4)
    assert shared.seconds == pytest.approx(0.002 + 0.008 + reduce)
    assert shared.limit == "compute"
    kept = scaling.predict(STEP, NETWORK, hosts=2, devices=4, weak=True)
    assert (kept.batch, kept.seconds) == (512, pytest.approx(0.066 + reduce))


def test_what_limits():
    slow = scaling.Network(across=1e6)
    assert scaling.predict(STEP, slow, 2, 1, weak=False).limit == "reduce"
    hidden = scaling.predict(STEP, scaling.Network(across=1e9, overlap=1.0), 2, 1, weak=True)
    assert hidden.seconds == pytest.approx(0.066)  # all of it fits behind the backward pass
    hungry = scaling.Step(64, 0.0, 0.001, 1e6, input_rate=100)
    fed = scaling.predict(hungry, NETWORK, 4, 1, weak=True)
    assert (fed.limit, fed.seconds) == ("input", pytest.approx(0.64))


def test_on_paper():
    command = [sys.executable, SCRIPT, "--step-ms", "66", "--fixed-ms", "2", "--batch", "64"]
    done = subprocess.run([*command, "--hosts", "6"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1000.0 µs a sample, batch 64" in done.stdout
    rows = [line.split("│")[1].strip() for line in done.stdout.splitlines() if "│" in line]
    assert rows == ["1", "2", "4", "6"]
    refused = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False)
    assert refused.returncode == 2


@pytest.mark.slow
def test_measures_a_recipe():
    step = scaling.measure(ROOT / "tests" / "recipe" / "spread.py", steps=2)
    assert step.batch == 16
    assert step.parameters == 3 * 8 + 9 * 2
    assert step.fixed + step.per_sample * 16 > 0
    assert step.input_rate > 0
