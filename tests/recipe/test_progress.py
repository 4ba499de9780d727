"""The bar of a search, and its estimate."""

import io
import math
from types import SimpleNamespace

import pytest
from rich.text import Text

from kcatalog.recipe.search import progress
from kcatalog.recipe.search.progress import Note, Notes, Progress
from kcatalog.recipe.terminal import output
from kcatalog.recipe.training import progress as training


class Oracle(SimpleNamespace):
    """An oracle that has ended some trials."""

    def get_best_trials(self, count):
        return [SimpleNamespace(score=0.5 if self.end_order else None)]


def shown(ended=0, trials=3, **options):
    oracle = Oracle(
        end_order=[str(i) for i in range(ended)],
        max_trials=trials,
        objective=SimpleNamespace(direction="max"),
    )
    console = output.console(file=io.StringIO(), width=80, **options)
    return Progress(console, oracle)


def printed(one):
    return one.console.file.getvalue()


def test_each_epoch_is_noted_with_the_time_of_one_more(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress, "clock", lambda: now[0])
    notes = Notes(tmp_path, "val_accuracy", epochs=4, fold=1, folds=2)
    notes.on_train_begin()
    for epoch, (compiling, rest, accuracy) in enumerate([(9, 2, 0.7), (0, 2.5, 0.6)]):
        now[0] += compiling
        notes.on_train_batch_end(0)
        now[0] += rest
        notes.on_train_batch_end(1)
        notes.on_epoch_end(epoch, {"val_accuracy": accuracy})
        found = Note.read(tmp_path)
        assert found == Note(4 + epoch + 1, 8, 0.7, 9, (2, 2.25)[epoch], now[0])  # the mean
    assert found.trial == 9 + 8 * 2.25


@pytest.mark.parametrize(
    ("trials", "slots", "ended", "sentence"),
    [
        (3, 1, 0, "About 4 minutes for this trial, 12 minutes for the search.\n"),
        (5, 2, 0, "About 4 minutes for this trial, 12 minutes for the search.\n"),
        (3, 1, 1, "About 4 minutes for this trial, 8 minutes for the search.\n"),
        (1, 1, 0, "About 4 minutes for this trial.\n"),
    ],
)
def test_the_estimate_is_printed_once(tmp_path, trials, slots, ended, sentence):
    one = shown(ended, trials)
    one.began("a", tmp_path, slots)
    assert printed(one) == ""
    Note(1, 10, 0.5, 40, 20).write(tmp_path)
    one.look()
    Note(2, 10, 0.5, 40, 30).write(tmp_path)
    one.ended("a")
    assert printed(one) == sentence


def test_hyperbands_first_trials_are_short(tmp_path):
    one = shown()
    one.oracle.max_epochs = 30
    one.began("a", tmp_path, 1)
    Note(1, 10, 0.5, 40, 20).write(tmp_path)
    one.ended("a")
    sentence = "About 4 minutes for this trial, at most 32 minutes for the search.\n"
    assert printed(one) == sentence


def test_a_terminal_shows_trial_epoch_best_and_time_left(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress, "clock", lambda: now[0])
    one = shown(1, force_terminal=True)
    with one:
        one.began("a", tmp_path, 1)
        for done in (2, 7):
            now[0] += 10
            Note(done, 10, 0.9722, 10, 5).write(tmp_path)
            one.look()
        one._bar.refresh()
    line = Text.from_ansi(printed(one)).plain
    assert "Trial a (2 of 3)" in line
    assert "epoch 7/10  best 0.9722 0:00:38 left" in line  # 1.3 trials, and 0.7 took 20 s
    assert not one._bar.live.is_started


def test_several_trials_at_once_are_one_bar(tmp_path):
    one = shown(trials=4, force_terminal=True)
    with one:
        for name in "ab":
            (tmp_path / name).mkdir()
            one.began(name, tmp_path / name, 2)
            Note(5, 10, math.nan, 0, 2).write(tmp_path / name)
        one.look()
        one._bar.refresh()
    assert "2 trials" in printed(one)
    assert one._bar.tasks[0].completed == 1.0


def test_pipes_get_no_bar(tmp_path):
    with shown() as one:
        one.began("a", tmp_path, 1)
    assert printed(one) == ""


def test_a_training_in_a_terminal_has_a_line_for_each_epoch():
    console = output.console(file=io.StringIO(), width=80, force_terminal=True)
    checkpoint = SimpleNamespace(best_epoch=None)
    one = training.Progress(console, epochs=3, steps=10, checkpoint=checkpoint)
    measures = {f"val_a_measure_with_a_long_name_{i}": 0.123456 for i in range(4)}
    with one:
        for epoch, best in enumerate((0, 0)):
            one.on_epoch_begin(epoch)
            one.on_train_batch_end(4)
            checkpoint.best_epoch = best
            one.on_epoch_end(epoch, measures)
        one.on_epoch_begin(2)
        one.on_train_batch_end(4)
    assert not one._bar.live.is_started
    assert one._bar.tasks[0].completed == 25
    shown = Text.from_ansi(printed(one))
    lines = [line.rstrip() for line in shown.plain.splitlines()]
    first = next(i for i, line in enumerate(lines) if line.startswith("Epoch 1 of 3: val_"))
    words = " ".join(lines[first : first + 3])
    assert all(f"{name} 0.1235" in words for name in measures)
    assert "\x1b[32mEpoch 1 of 3: val" in printed(one)
    assert "Epoch 2 of 3: val" in printed(one)
    assert "\x1b[32mEpoch 2 of 3: val" not in printed(one)


def test_half_a_note_is_none(tmp_path):
    (tmp_path / progress.FILE).write_text('{"done": 1')
    assert Note.read(tmp_path) is None
