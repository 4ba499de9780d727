"""Facts about the data: they survive JSON, old records load, and none can override another."""

import json
from dataclasses import dataclass

import pytest

from kcatalog.recipe.data import DataInfo, Details
from kcatalog.recipe.data.series import SeriesDetails
from tests.recipe import tiny

# Written by kcatalog before `DataInfo`.
OLD = """{"name": "taylor", "task": "forecast", "input_name": "history", "input_shape": [672],
"classes": [], "fingerprint": "f5ac", "season": 336, "every": 1, "column": null}"""


def test_a_record_survives_json_in_the_form_of_earlier_versions():
    info = DataInfo("taylor", "forecast", "history", (672,), (), "f5ac", SeriesDetails(336))
    assert DataInfo.from_record(json.loads(OLD), SeriesDetails) == info
    later = {"step": None, "start": None, "dtype": "float32", "decimal": "", "unit": ""}
    assert json.loads(json.dumps(info.to_record())) == {**json.loads(OLD), **later}
    without = {k: v for k, v in json.loads(OLD).items() if k not in ("column", "every")}
    assert DataInfo.from_record({**without, "later": 1}, SeriesDetails) == info


@pytest.mark.parametrize("missing", ["task", "season"])
def test_a_record_without_a_needed_fact_is_refused(missing):
    record = json.loads(OLD)
    del record[missing]
    with pytest.raises(TypeError, match=missing):
        DataInfo.from_record(record, SeriesDetails)


def test_details_cannot_override_what_the_engine_says():
    @dataclass(frozen=True)
    class Mine(Details):
        task: str = "something else"

    with pytest.raises(ValueError, match="Mine: `fields` must be named otherwise"):
        tiny.info(details=Mine())


def test_data_describe_themselves():
    data = tiny.recipe.source.load()
    assert data.info == tiny.info(
        name="clouds", classes=("left", "right"), fingerprint=data.fingerprint
    )
