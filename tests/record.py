"""The files of `pytest --record FOLDER`: the outcome of each check of each part, for the site."""

import datetime
import importlib.metadata
import json
from collections import defaultdict
from pathlib import Path

import keras

from kcatalog import __version__
from kcatalog.atomic import atomic_write

PREFIX = "test_conformance["


class Record:
    """The pytest plugin that writes `<backend>.json` when a run of the whole suite ends.

    With pytest-xdist, the first process gets the reports of all workers.
    """

    def __init__(self, folder: Path):
        self.folder, self.results = folder, defaultdict(dict)

    def pytest_runtest_logreport(self, report):
        test = report.nodeid.partition("::")[2]
        if not test.startswith(PREFIX):
            return
        kind, name, check = test.removeprefix(PREFIX).removesuffix("]").split("-", 2)
        outcome = "exempted" if hasattr(report, "wasxfail") else report.outcome
        if report.when == "call" or outcome != "passed":
            self.results[f"{kind}-{name}"][check] = outcome

    def pytest_sessionfinish(self, session):
        option = session.config.option
        partial = option.keyword or option.markexpr not in ("", "not soak") or option.file_or_dir
        if hasattr(session.config, "workerinput") or partial or not self.results:
            return
        backend = keras.config.backend()
        packages = ("keras", backend)
        content = {
            "backend": backend,
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "versions": {p: importlib.metadata.version(p) for p in packages}
            | {"kcatalog": __version__},
            "results": {part: dict(sorted(r.items())) for part, r in sorted(self.results.items())},
        }
        with atomic_write(self.folder / f"{backend}.json") as unfinished:
            unfinished.write_text(json.dumps(content, indent=0, ensure_ascii=False), "utf-8")
