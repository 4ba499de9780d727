"""The guide to losses says what its measured rows say."""

import dataclasses

import keras
import numpy as np
import pytest

import kcatalog
from benchmarks import which_loss

PACKAGES = {"keras": keras, "kcatalog": kcatalog}


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
    def row(loss, mean, plain=False, best=None):
        found = {"loss": loss, "mean": mean, "deviation": 0.02, "plain": plain, "trained": True}
        return {**found, "failed": None, "level": which_loss.level(best or found, found, 0.01)}

    best = row("A", 0.8)
    near, far = row("B", 0.78, best=best), row("C", 0.77, plain=True, best=best)
    assert which_loss.conclusion([best, near, far], "accuracy") == (
        "**A**, 0.800 (accuracy); C has 0.770. About as good: B."
    )
    assert which_loss.conclusion([best, {**near, "plain": True}], "accuracy") == (
        "**B**, 0.780 (accuracy). The best mean is 0.800, of A, which is no clear gain."
    )
    assert which_loss.conclusion([{**best, "plain": True}, near], "accuracy") == (
        "**A**, 0.800 (accuracy). No other is better."
    )


def test_a_plain_loss_that_nearly_failed_is_not_recommended():
    rows = which_loss.summary(which_loss.load(which_loss.RESULT), "masks")
    plain = next(row for row in rows if row["plain"])
    assert plain["failed"] < 0.25 < plain["mean"] < rows[0]["mean"] - 0.2
    assert not plain["level"]
    assert which_loss.recommended(rows) is rows[0]
    assert which_loss.failed([1.0, 1.3, 2.7], higher=False) == 2.7
    assert which_loss.failed([0.02, 0.01, 0.004], higher=True) is None


def test_class_weights_gain_less_than_logit_adjustment_as_the_first_guide_says():
    rows = which_loss.summary(which_loss.load(which_loss.RESULT), "rare")
    scores = {row["loss"]: row["mean"] for row in rows}
    plain = "`keras.losses.SparseCategoricalCrossentropy`"
    weighted = scores[f"{plain} with `class_weight` in `fit`"]
    assert scores[plain] < weighted < scores["`kcatalog.losses.LogitAdjustedCrossentropy`"]


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", which_loss.USES)
def test_the_code_of_a_recommendation_trains_with_the_loss_that_was_measured(name):
    problem = which_loss.problems()[name]
    section = which_loss.PAGE.read_text(encoding="utf-8").split(f"### {problem.when}\n")[1]
    exec(section.split("```python\n")[1].split("```")[0], found := dict(PACKAGES))  # noqa: S102
    row = which_loss.recommended(which_loss.summary(which_loss.load(which_loss.RESULT), name))
    measured = row["contestant"].loss()
    assert type(found["loss"]) is type(measured)
    assert which_loss.arguments(found["loss"]) == which_loss.arguments(measured)
    (x, y), _ = problem.data(0)
    model = problem.network(lambda: found["last"])
    model.compile("adam", found["loss"], run_eagerly=True)
    assert np.isfinite(model.train_on_batch(x[:64], y[:64]))
    measured_head = row["contestant"].head or problem.head
    assert problem.network(measured_head).output_shape == model.output_shape


def test_label_smoothing_is_that_of_one_hot_targets():
    contestant = which_loss.problems()["classes"].losses["the same with label smoothing 0.1"]
    logits, classes = np.random.default_rng(0).normal(size=(5, 3)), np.array([0, 1, 2, 0, 1])
    smooth = keras.losses.CategoricalCrossentropy(label_smoothing=0.1, from_logits=True)
    wanted = smooth(np.eye(3)[classes], logits)
    np.testing.assert_allclose(contestant.loss()(classes, logits), wanted, rtol=1e-5)
    assert (
        "`kcatalog.losses.PolyCrossentropy(epsilon=0.0, label_smoothing=0.1)`"
        in (which_loss.NOTES["classes"])
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
