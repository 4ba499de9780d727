"""Only warnings and errors of the libraries' start stand on the terminal.

`test_user_journey.py` and `recipe/test_whole_way.py` show that nothing does when all is well.
"""

import logging
import os
import sys

import pytest

from kcatalog import quiet


def test_only_information_is_left_out(capfd):
    @quiet.without_information()
    def fail():
        os.write(2, b"I0000 00:00:17 1 cudart_stub.cc:31] Could not find cuda drivers\n")
        os.write(2, b"fully_quantize: 0, inference_type: 6\n")
        os.write(2, b"E0000 00:00:17 1 dso_loader.cc:5] libcudart is broken\n")
        print("a warning of Python", file=sys.__stderr__, flush=True)
        raise ImportError

    with pytest.raises(ImportError):
        fail()
    expected = "E0000 00:00:17 1 dso_loader.cc:5] libcudart is broken\na warning of Python\n"
    assert capfd.readouterr().err == expected


def test_the_users_level_stays(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    monkeypatch.setattr(quiet, "_USERS_LEVEL", "0")
    monkeypatch.setattr(sys, "meta_path", [])
    quiet.tensorflow(level=3)
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"
    assert sys.meta_path == []  # nothing filters what TensorFlow prints at its import


def test_other_warnings_of_tensorflow_stay(caplog):
    logger = logging.getLogger("tensorflow")
    quiet.retracing()
    try:
        logger.warning("5 out of the last 5 calls to f triggered tf.function retracing.")
        logger.warning("Gradients do not exist.")
    finally:
        logger.removeFilter(quiet._not_retracing)
    assert caplog.messages == ["Gradients do not exist."]
