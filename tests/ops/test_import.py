import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("module", ["ops", "ops.distances", "losses", "metrics", "derive"])
def test_any_module_can_be_the_first_import(module):
    command = [sys.executable, "-c", f"import kcatalog.{module}"]
    assert subprocess.run(command, capture_output=True).returncode == 0
