"""The guide to losses says what its measured rows say."""

import dataclasses

import numpy as np
import pytest

from benchmarks import which_loss


@pytest.mark.parametrize("name", ["tree", "tables"])
def test_the_page_is_current(name):
    begin, end = (mark.format(name) for mark in which_loss.MARKS)
    shown = which_loss.PAGE.read_text(encoding="utf-8").split(begin)[1].split(end)[0]
    rows = which_loss.load(which_loss.RESULT)
    assert shown.strip() == getattr(which_loss, name)(rows), (
        "run `python benchmarks/which_loss.py --render`"
    )


def test_every_problem_stands_in_the_tree_and_was_measured():
    placed = [name for names in which_loss.TREE.values() for name in names]
    assert sorted(placed) == sorted(which_loss.problems())
    rows = which_loss.load(which_loss.RESULT)
    assert all(which_loss.summary(rows, name) for name in placed)


def test_the_plain_loss_is_recommended_unless_another_is_clearly_better():
    def row(loss, scores, plain=False):
        mean = float(np.mean(scores))
        level = which_loss.level([0.9, 0.8, 0.7], scores)
        return {"loss": loss, "mean": mean, "level": level, "plain": plain, "trained": True}

    best, near = row("LDAM", [0.9, 0.8, 0.7]), row("CORN", [0.9, 0.9, 0.5])
    far = row("Hinge", [0.8, 0.7, 0.61], plain=True)
    assert which_loss.conclusion([best, near, far], "accuracy") == (
        "**`losses.LDAM`**, accuracy 0.800 where `keras.losses.Hinge` has 0.703. "
        "Not clearly behind it: `losses.CORN`."
    )
    said = which_loss.conclusion([best, {**near, "plain": True}], "accuracy")
    assert said == (
        "**`losses.CORN`**, accuracy 0.767. The best mean is that of `losses.LDAM`, 0.800; "
        "three seeds cannot tell them apart."
    )


@pytest.mark.slow
@pytest.mark.tensorflow
def test_a_loss_trains_on_its_problem():
    problem = which_loss.problems()["quantile"]
    quick = dataclasses.replace(problem, epochs=3)
    trainer = which_loss.Trainer(quick, problem.losses["Pinball(0.9)"])
    first, again = trainer.run(0), trainer.run(0)
    assert 0 < first["test"] < 1
    assert again["test"] == first["test"]
