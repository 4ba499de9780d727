"""Batches: their order, and the part of them that each of several hosts gets."""

from types import SimpleNamespace

import numpy as np
import pytest

from kcatalog.recipe.data import Data
from kcatalog.recipe.feed.batches import Batches
from kcatalog.recipe.tasks import batches_of
from kcatalog.recipe.terminal.errors import RecipeError

CLASSES = 6


def data(task, samples=60):
    part = np.arange(samples)[:, None], np.arange(samples, dtype="int32") % CLASSES
    return Data("toy", task, "number", part, part, part, tuple("abcdef"))


def hyperparameters(**values):
    return SimpleNamespace(values=values)


def test_the_order_is_a_function_of_seed_and_epoch():
    x, y = data("classification").train
    one, other = Batches(x, y, 16, seed=1), Batches(x, y, 16, seed=1)
    for epoch in range(5):
        one.start(epoch)
    other.start(4)
    assert [one[i][0].tolist() for i in range(3)] == [other[i][0].tolist() for i in range(3)]
    other.start(3)
    assert one[0][0].tolist() != other[0][0].tolist()
    assert len(one) == 3
    assert len(np.unique(np.concatenate([one[i][0] for i in range(3)]))) == 48
    assert Batches(x, y, 1000, seed=1)[0][0].shape == x.shape  # never larger than what there is


@pytest.mark.parametrize("hosts", [2, 3])
@pytest.mark.parametrize("task", ["classification", "embedding"])
def test_hosts_share_every_batch(task, hosts):
    """Whatever the number of hosts, their parts one behind another are the whole batch."""
    hp, these = hyperparameters(samples_per_class=4), data(task)
    whole = batches_of(these, hp, 24, seed=5)
    parts = [batches_of(these, hp, 24, seed=5, shard=(host, hosts)) for host in range(hosts)]
    for epoch in (0, 3):
        for batches in (whole, *parts):
            batches.start(epoch)
        for step in range(len(whole)):
            for n in (0, 1):
                shares = [batches[step][n] for batches in parts]
                assert {len(share) for share in shares} == {24 // hosts}
                np.testing.assert_array_equal(np.concatenate(shares), whole[step][n])


@pytest.mark.parametrize("task", ["classification", "embedding"])
def test_batches_that_hosts_cannot_share_are_refused(task):
    with pytest.raises(RecipeError, match=r"multiple of the 5 hosts.*Received: (24|6)\."):
        batches_of(data(task), hyperparameters(), 24, seed=0, shard=(0, 5))
