import json
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.callbacks import BestCheckpoints
from kcatalog.metrics import RecallAtK

X = np.zeros((2, 1), "float32")


def make():
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros", name="line")]
    )
    model.compile("sgd", "mse", run_eagerly=True)
    return model


class Values(keras.callbacks.Callback):
    """Puts values into the logs, and the number of the epoch into the bias."""

    def __init__(self, values, name="score"):
        super().__init__()
        self.values, self.name = values, name

    def on_epoch_end(self, epoch, logs=None):
        self.model.get_layer("line").bias.assign([float(epoch + 1)])
        if self.values[epoch] is not None:
            logs[self.name] = self.values[epoch]


def fit(model, values, best, name="score", **args):
    callbacks = [Values(values, name), best]
    model.fit(X, X, epochs=len(values), verbose=0, callbacks=callbacks, **args)


def bias(model):
    return float(ops.convert_to_numpy(model.get_layer("line").bias)[0])


def reference(values, keep, sign):
    """All epochs sorted by their value, the earlier first among equals."""
    epochs = [(v, e) for e, v in enumerate(values, 1) if v is not None and not np.isnan(v)]
    kept = []
    for v, e in epochs:
        kept = sorted([*kept, (v, e)], key=lambda pair: (sign * pair[0], pair[1]))[:keep]
    return [(e, v) for v, e in kept]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("keep", [1, 3])
@pytest.mark.parametrize("weights_only", [False, True])
def test_reference(tmp_path, mode, keep, weights_only):
    values = [0.5, 0.7, None, 0.5, float("nan"), 0.2, 0.9, 0.7, float("inf")]
    best, model = BestCheckpoints(tmp_path / "best", "score", mode, keep, weights_only), make()
    fit(model, values, best)
    expected = reference(values, keep, 1 if mode == "min" else -1)
    assert [(c["epoch"], c["value"]) for c in best.checkpoints] == expected
    suffix = ".weights.h5" if weights_only else ".keras"
    files = {f"{epoch:04d}{suffix}" for epoch, _ in expected}
    assert {f.name for f in (tmp_path / "best").iterdir()} == {*files, "index.json"}
    again = make()
    BestCheckpoints(str(tmp_path / "best"), "score").restore_best(again)
    assert bias(again) == expected[0][0]
    if not weights_only:
        assert bias(keras.models.load_model(best.best)) == expected[0][0]


def test_the_direction_is_the_metrics_own(tmp_path):
    model = make()
    model.compile("sgd", "mse", metrics=[RecallAtK(), "mae"], run_eagerly=True)
    labels = np.array([[0], [1]])
    for name, place in (("recall_at_k", -1), ("mae", 0), ("loss", 0)):
        best = BestCheckpoints(tmp_path / name, name, keep=2)
        callbacks = [Values([0.1, 0.2, 0.3], name), best]
        model.fit(X, labels, epochs=3, verbose=0, callbacks=callbacks)
        assert best.checkpoints[0]["epoch"] == [1, 2, 3][place]
    with pytest.raises(ValueError, match=r'`mode` must be "min" or "max" for \'score\''):
        fit(model, [0.1], BestCheckpoints(tmp_path / "score", "score"))


def test_a_directory_is_continued_and_another_metric_refused(tmp_path):
    model = make()
    fit(model, [0.5, 0.3, 0.4], BestCheckpoints(tmp_path, "score", "min", keep=2))
    best = BestCheckpoints(tmp_path, "score", "min", keep=2)
    fit(model, [0.9, 0.2, 0.35], best)
    kept = [("0002-2.keras", 2, 0.2), ("0002.keras", 2, 0.3)]
    assert [tuple(c.values()) for c in best.checkpoints] == kept
    assert {f.name for f in tmp_path.iterdir()} == {"index.json", *(k[0] for k in kept)}
    with pytest.raises(ValueError, match="`monitor` must be 'score', which the checkpoints in"):
        fit(model, [0.1], BestCheckpoints(tmp_path, "loss"))
    (tmp_path / "0002-2.keras").unlink()
    assert best.best == tmp_path / "0002.keras"


def test_a_metric_in_no_epoch_warns_and_an_empty_directory_restores_nothing(tmp_path):
    best = BestCheckpoints(tmp_path / "none")
    with pytest.warns(RuntimeWarning, match="nothing was saved, as 'val_loss' was in no epoch"):
        fit(make(), [0.1], best)
    with pytest.raises(FileNotFoundError, match="no checkpoint in"):
        best.restore_best(make())


def test_a_failed_write_leaves_the_checkpoints_whole(tmp_path, monkeypatch):
    model, best = make(), BestCheckpoints(tmp_path, "score", "min", keep=1)
    fit(model, [0.5], best)

    def half(file):
        file.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(model, "save", half)
    with pytest.raises(OSError, match="No space"):
        fit(model, [0.4], best)
    assert {f.name for f in tmp_path.iterdir()} == {"index.json", "0001.keras"}
    again = make()
    best.restore_best(again)
    assert bias(again) == 1.0


KILLED = """
    import os, signal, sys
    from tests.callbacks import test_best_checkpoints as t
    class Kills(t.BestCheckpoints):
        def _write(self, kept):
            if len(self.checkpoints) == 1: os.kill(os.getpid(), signal.SIGKILL)
            super()._write(kept)
    t.fit(t.make(), [0.5, 0.4], Kills(sys.argv[1], "score", "min"))
"""


@pytest.mark.slow
def test_a_kill_between_a_checkpoint_and_the_index_leaves_the_index_true(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)], check=False
    )
    assert run.returncode == -9
    assert json.loads((tmp_path / "index.json").read_text())["checkpoints"][0]["value"] == 0.5
    best, again = BestCheckpoints(tmp_path, "score", "min"), make()
    best.restore_best(again)
    assert bias(again) == 1.0
    fit(make(), [0.6, 0.3], best)
    assert [c["value"] for c in best.checkpoints] == [0.3, 0.5, 0.6]
