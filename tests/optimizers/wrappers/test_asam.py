import numpy as np

from kcatalog.optimizers import ASAM
from tests.golden.load import golden
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import function, paths
from tests.optimizers.wrappers.sharpness import inner, reference


def test_reference():
    expected = paths(reference(lambda w: abs(w) + 0.25), given=function)
    assert_same_paths(lambda: ASAM(inner(), radius=0.125, eta=0.25), expected)


def test_golden():
    """The peer has no `η`, and its norm is float32."""
    expected, tolerance = golden("pytorch_optimizer_asam"), {"float32": 1e-5, "float64": 1e-6}
    assert_same_paths(lambda: ASAM(inner(), radius=0.125, eta=0.0), expected, tolerance=tolerance)


def test_the_point_uphill_does_not_depend_on_how_layers_share_a_scale():
    """`L(a, b)` of a product `a b` is the same at `(2 a, b / 2)`, and so is its loss uphill."""
    optimizer = ASAM("sgd", radius=0.25, eta=0.0)

    def products(a, b):
        w = [np.array([v], "float32") for v in (a, b)]
        up_a, up_b = optimizer.perturbed([w[1], w[0]], w)  # of L = a b
        return float(np.array(up_a)[0] * np.array(up_b)[0])

    np.testing.assert_allclose(products(8.0, 0.125), products(1.0, 1.0), rtol=1e-6)


def test_weights_of_zero_move_by_eta():
    (moved,) = ASAM("sgd", radius=0.5, eta=0.1).perturbed(
        [np.array([3.0], "float32")], [np.zeros(1, "float32")]
    )
    np.testing.assert_allclose(np.array(moved), [0.05], rtol=1e-6)
