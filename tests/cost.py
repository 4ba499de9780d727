"""The report of `pytest --cost`: processor time by part and by check."""

import os
from collections import defaultdict
from pathlib import Path

import pytest

from kcatalog import registry


def seconds() -> float:
    """Return the processor time of this process, its threads and its ended children."""
    return sum(os.times()[:4])


class Cost:
    """The pytest plugin that measures each test in its worker and adds up in the first process."""

    def __init__(self):
        self.by_part, self.by_check, self.by_file = (defaultdict(float) for _ in range(3))
        self.fast = {}  # tests that `make test-fast` runs
        parts = registry.find(origin="kcatalog")
        self.part_of_file = {f"test_{Path(e.file).name}": f"{e.kind}-{e.name}" for e in parts}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self):
        self.began = seconds()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call):
        report = yield
        if call.when == "teardown":  # pytest-xdist brings these from the workers
            report.user_properties.append(("cost", seconds() - self.began))
            report.user_properties.append(("slow", bool(set(report.keywords) & {"slow", "soak"})))
        return report

    def pytest_runtest_logreport(self, report):
        found = dict(report.user_properties)
        cost = found.get("cost")
        if report.when != "teardown" or cost is None:
            return
        if not found["slow"]:
            self.fast[report.nodeid] = cost
        file, _, test = report.nodeid.partition("::")
        part = self.part_of_file.get(Path(file).name)
        if test.startswith("test_conformance["):
            kind, name, check = test.removeprefix("test_conformance[").rstrip("]").split("-", 2)
            part = f"{kind}-{name}"
            self.by_check[check] += cost
        elif part:
            self.by_check["(the part's own tests)"] += cost
        if part:
            self.by_part[part] += cost
        else:
            self.by_file[file] += cost

    def costly(self):
        """Return the tests that are not marked slow and take a second or more."""
        return {test: cost for test, cost in self.fast.items() if cost >= 1}

    def pytest_terminal_summary(self, terminalreporter):
        for title, costs in (
            ("part", self.by_part),
            ("check", self.by_check),
            ("other file", self.by_file),
            ("test of a second or more that is not marked slow", self.costly()),
        ):
            terminalreporter.section(f"processor seconds by {title}")
            for name, cost in sorted(costs.items(), key=lambda item: -item[1]):
                terminalreporter.write_line(f"{cost:8.1f}  {name}")
        whole = sum(self.by_part.values())
        count = len(self.by_part)
        terminalreporter.section("processor seconds in all")
        terminalreporter.write_line(
            f"{whole:8.1f}  {count} parts, {whole / max(count, 1):.1f} each on average\n"
            f"{sum(self.by_file.values()):8.1f}  other tests\n"
            f"{sum(self.fast.values()):8.1f}  {len(self.fast)} tests that are not marked slow"
        )
