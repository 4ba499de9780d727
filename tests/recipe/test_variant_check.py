"""Samples that variants are checked with, and how their outputs are scored."""

import numpy as np
import pytest

from kcatalog.recipe.data import Data
from kcatalog.recipe.data.files import draw
from kcatalog.recipe.export.variant_check import VariantCheck


@pytest.mark.parametrize("answered", [8, 40])
def test_answers_are_matched_with_the_live_models_and_with_labels(tmp_path, answered):
    """The live model has answered some samples from all over the test part; those are first."""
    x, y = np.arange(40.0, dtype="float32")[:, None], np.repeat([0, 1], 20).astype("int32")
    data = Data("n", "classification", "number", (x, y), (x, y), (x, y), ("few", "many"))

    def scores(x):
        return np.concatenate([np.full_like(x, 19.5), x], axis=1)  # right by the number alone

    some = x[draw(len(x), answered)]
    np.savez(tmp_path / "samples.npz", request=some, scores=scores(some))
    check = VariantCheck(data, tmp_path / "samples.npz", None)
    asked = check._asked()
    request, want = asked["request"], asked["scores"]
    np.testing.assert_array_equal(np.sort(request[:, 0]), x[:, 0])
    np.testing.assert_array_equal(scores(request)[: len(want)], want)
    assert check._scored({"scores": scores(request)}) == {"score": 1.0, "scored_samples": 40}
