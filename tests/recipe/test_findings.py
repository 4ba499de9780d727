"""Findings: the block about the data that a run prints before the first trial."""

import pytest

from kcatalog.recipe.data.findings import of_split
from kcatalog.recipe.files.rundir import read_json
from tests.recipe import tiny


def test_samples_and_classes_are_counted():
    samples, classes = of_split(tiny.recipe.load())
    assert samples.text == "160: 96 to train, 32 to validate, 32 to test"
    assert classes.text == "2: left 80, right 80"


@pytest.mark.slow
def test_the_block_is_printed_and_recorded(call):
    done = call("tune", "--trials", 1, "--trial-epochs", 1)
    assert "samples  160: 96 to train, 32 to validate, 32 to test" in done.out
    assert "model    22 parameters by default, 6 steps an epoch" in done.out
    found = read_json(done.run / "record.json")["findings"]
    record = {each["about"]: each["text"] for each in found}
    assert record["classes"] == "2: left 80, right 80"
    resumed = call("tune", "--trials", 1, "--resume")
    assert "to validate" not in resumed.out
