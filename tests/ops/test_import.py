import subprocess
import sys

import pytest

SCRIPT = """
import importlib, sys

for module in ("ops", "ops.distances", "losses", "metrics", "derive"):
    for name in [n for n in sys.modules if n.partition(".")[0] == "kcatalog"]:
        del sys.modules[name]
    importlib.import_module("kcatalog." + module)
"""


@pytest.mark.slow
@pytest.mark.once
def test_any_module_can_be_the_first_import():
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)
