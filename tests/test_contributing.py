"""CONTRIBUTING's parts are whole: written to a file as they stand, they pass their checks."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from docs.site.plots.draw import draw
from kcatalog import registry
from kcatalog.conformance import checks_for

TEXT = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
PARTS = {
    re.search(r"\nclass (\w+)", code)[1]: code
    for code in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    if "@component" in code
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n == "SoftClipping" else n for n in PARTS]
)
def test_a_part_as_described_passes_its_checks(name, tmp_path):
    cls = imported(name, tmp_path)
    checks = [c for c in checks_for(cls) if not c.slow]
    assert {"docstring_complete", "config_round_trip"} <= {c.name for c in checks}
    for check in checks:
        check.run()


@pytest.mark.parametrize("name", [n for n in PARTS if n != "SoftClipping"])
def test_a_part_as_described_has_a_plot(name, tmp_path):
    assert draw(registry.describe_class(imported(name, tmp_path))).startswith(b"<?xml")


def imported(name, folder):
    file = folder / f"{name.lower()}.py"
    file.write_text(PARTS[name], encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name.lower(), file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name.lower()] = module
    spec.loader.exec_module(module)
    return getattr(module, name)


def test_every_base_that_is_named_exists():
    bases = re.findall(r"^\| `((?:layers|losses|metrics|optimizers)\.[\w.]+)`", TEXT, re.MULTILINE)
    assert len(bases) == 27
    for base in bases:
        module, cls = f"kcatalog.{base}".rsplit(".", 1)
        assert registry.card_of(getattr(importlib.import_module(module), cls)) is None
