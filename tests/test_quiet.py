"""Nothing of the libraries' start stands on the terminal; warnings and errors do."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kcatalog import quiet

ROOT = Path(__file__).parents[1]


def fresh(*arguments, **environment):
    """Python in a process of its own, as a user starts it."""
    inherited = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**inherited, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
    )


def test_the_import_is_silent_on_every_backend():
    done = fresh("-W", "error", "-c", "import kcatalog, keras")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
@pytest.mark.tensorflow
def test_a_recipe_is_silent(tmp_path):
    script = ROOT / "recipes" / "image_cnn.py"
    done = fresh(script, "train", "--epochs", "1", "--run-dir", tmp_path / "run")
    assert done.returncode == 0
    assert done.stderr == ""


def test_only_information_is_left_out(capfd):
    @quiet._without_information()
    def fail():
        os.write(2, b"I0000 00:00:17 1 cudart_stub.cc:31] Could not find cuda drivers\n")
        os.write(2, b"E0000 00:00:17 1 dso_loader.cc:5] libcudart is broken\n")
        print("a warning of Python", file=sys.__stderr__, flush=True)
        raise ImportError

    with pytest.raises(ImportError):
        fail()
    expected = "E0000 00:00:17 1 dso_loader.cc:5] libcudart is broken\na warning of Python\n"
    assert capfd.readouterr().err == expected


@pytest.mark.tensorflow
def test_the_user_sets_the_level():
    done = fresh("-c", "import kcatalog, tensorflow", TF_CPP_MIN_LOG_LEVEL="0")
    assert "I0000" in done.stderr or " I " in done.stderr


def test_other_warnings_of_tensorflow_stay(caplog):
    logger = logging.getLogger("tensorflow")
    quiet.retracing()
    try:
        logger.warning("5 out of the last 5 calls to f triggered tf.function retracing.")
        logger.warning("Gradients do not exist.")
    finally:
        logger.removeFilter(quiet._not_retracing)
    assert caplog.messages == ["Gradients do not exist."]
