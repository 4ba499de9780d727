"""optax's optimizers: what replaces a call takes the steps that optax took.

`tests/golden/make_optax_rows.py` made the old paths. What differs is measured here.
"""

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.migrate import table
from tests.golden.load import golden
from tests.migrate import optax_rules, other_calls
from tests.migrate.successors import successor

ROWS = table.load("optax").rows
CALLS = [(name, example) for name, row in ROWS.items() for example in row.examples]


def path(optimizer):
    """Return the weights after each step."""
    weights = [keras.Variable(w, dtype="float32") for w in other_calls.start()]

    def step(gradients):
        optimizer.apply([ops.convert_to_tensor(g, "float32") for g in gradients], weights)
        return [ops.convert_to_numpy(w.value) for w in weights]

    return other_calls.walk(step)


def same(got, wanted):
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def by_rules(call):
    """Compare each path with the plain rule that it follows, which are not the same."""

    def compare(got, wanted):
        ours, theirs = map(optax_rules.walked, optax_rules.RULES[call])
        same(got, ours)
        same(wanted, theirs)
        assert np.abs(ours - theirs).max() > 1e-3

    return compare


def but_step_5(got, wanted):
    """The second moment acts a step earlier; the steps depend on nothing but the gradients."""
    mine, theirs = (np.diff(p, axis=0) for p in (got, wanted))
    others = np.arange(len(theirs)) != 3  # the first step is no difference
    same(mine[others], theirs[others])
    assert np.abs(mine[3] - theirs[3]).max() > 1e-3


def near_matrix(got, wanted):
    """Steps of the matrix are as long to 5 %; those of the vector have no Nesterov momentum."""
    mine, theirs = (np.abs(np.diff(p, axis=0)) for p in (got, wanted))
    np.testing.assert_allclose(mine[:, :6].sum(1), theirs[:, :6].sum(1), rtol=0.05)
    assert np.abs(mine[:, 6:].sum(1) / theirs[:, 6:].sum(1) - 1).max() > 0.2


DIFFERENT = {
    "contrib.muon": near_matrix,
    "radam(0.01)": but_step_5,
    **{call: by_rules(call) for call in optax_rules.RULES},
}


@pytest.mark.parametrize(("name", "example"), CALLS, ids=lambda text: text or "default")
def test_path(name, example):
    row = ROWS[name]
    got = path(successor(row, other_calls.given(row.signature.names, example)))
    wanted = golden("optax_rows")[f"{name}({example})"]
    if name in DIFFERENT or f"{name}({example})" in DIFFERENT:
        assert row.differs or row.hint
        DIFFERENT.get(f"{name}({example})", DIFFERENT.get(name))(got, wanted)
    else:
        same(got, wanted)


def test_dice_loss():
    logits, classes, _ = other_calls.segments()
    for text in ("", "alpha=0.3, beta=0.6, smooth=0.5"):
        loss = successor(ROWS["losses.dice_loss"], other_calls.given((), text))
        wanted = golden("optax_rows")[f"losses.dice_loss({text})"]
        np.testing.assert_allclose(loss(classes, ops.softmax(logits)), wanted.mean(), rtol=1e-4)


def test_reduce_on_plateau():
    """The same factor after the same epochs."""
    given = {"factor": 0.5, "patience": 2, "atol": 0.1, "cooldown": 1}
    callback = successor(ROWS["contrib.reduce_on_plateau"], given)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1.0))
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, loss in enumerate(other_calls.segments()[2]):
        callback.on_epoch_end(epoch, {"loss": loss})
        rates.append(float(model.optimizer.learning_rate))
    np.testing.assert_allclose(rates, golden("optax_rows")["contrib.reduce_on_plateau"])


def test_others():
    """Have a test above for each row that has no path."""
    rows = {name for name, row in ROWS.items() if row.test == "optax_other"}
    assert rows == {"losses.dice_loss", "contrib.reduce_on_plateau"}
