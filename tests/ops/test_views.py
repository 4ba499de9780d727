import numpy as np
import pytest

from kcatalog.conformance.backend import as_numpy
from kcatalog.ops.views import pair, two_views


def test_both_forms_give_both_views(rng):
    a, b = rng.normal(size=(2, 5, 3)).astype("float16")
    stacked = np.stack([a, b], axis=1)
    for views in (two_views("X", a, b), two_views("X", np.zeros(5), stacked), pair("X", stacked)):
        for view, expected in zip(views, (a, b), strict=True):
            assert as_numpy(view).dtype == "float32"
            np.testing.assert_array_equal(as_numpy(view), expected)


@pytest.mark.parametrize(
    ("y_true", "y_pred"),
    [((5,), (5, 3)), ((5, 1), (5, 3)), ((4, 3), (5, 3)), ((5, 3), (5, 3, 2)), ((5, 3), (5,))],
)
def test_error_names_class_shape_and_fix(y_true, y_pred):
    with pytest.raises(ValueError, match="X: `y_pred` must be of shape") as e:
        two_views("X", np.ones(y_true, "float32"), np.ones(y_pred, "float32"))
    assert str(y_pred) in str(e.value)
    assert str(y_true) in str(e.value)


@pytest.mark.parametrize("shape", [(5, 3), (5, 3, 2), (5, 2, 3, 1)])
def test_error_of_a_pair(shape):
    with pytest.raises(ValueError, match=r"`y_pred` .* \(batch, 2, features\).* For example:"):
        pair("X", np.ones(shape, "float32"))
