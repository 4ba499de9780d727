import functools

import keras
import numpy as np
from keras import ops

from kcatalog.optimizers import SOAP
from tests.golden.load import golden
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths

# Axes of at most 3: of longer ones the gradients leave a null space, whose basis rounding chooses.
SETTINGS = {
    "learning_rate": 0.0625,
    "beta_1": 0.75,
    "beta_2": 0.875,
    "epsilon": 2**-5,
    "refresh_period": 5,
    "max_size": 3,
}


def _turned(x, bases, back=False):
    """Multiply each axis by its basis, by sums over single entries."""
    for axis, Q in enumerate(bases):
        if Q is None:
            continue
        new = np.zeros_like(x)
        for i in np.ndindex(x.shape):
            for j in range(x.shape[axis]):
                source = (*i[:axis], j, *i[axis + 1 :])
                new[i] += x[source] * (Q[i[axis], j] if back else Q[j, i[axis]])
        x = new
    return x


def reference(start, lr=0.0625, beta_1=0.75, beta_2=0.875, epsilon=2**-5, k=5, longest=3):
    """Algorithms 3 and 4 of Vyas et al., with the authors' first step, which starts the bases."""
    weights = [w.copy() for w in start]
    m, v = [np.zeros_like(w) for w in start], [np.zeros_like(w) for w in start]
    axes = [[axis for axis, n in enumerate(w.shape) if w.ndim > 1 and n <= longest] for w in start]
    L = [dict.fromkeys(each, 0.0) for each in axes]
    Q, t = [None] * len(start), 0

    def step(gradients):
        nonlocal t
        t += 1
        for i, g in enumerate(gradients):
            if t > 1:
                turned = _turned(g, Q[i])
                m[i] = beta_1 * m[i] + (1 - beta_1) * g
                v[i] = beta_2 * v[i] + (1 - beta_2) * turned**2
                n = _turned(_turned(m[i], Q[i]) / (np.sqrt(v[i]) + epsilon), Q[i], back=True)
                c = np.sqrt(1 - beta_2 ** (t - 1)) / (1 - beta_1 ** (t - 1))
                weights[i] = weights[i] - lr * c * n
            for axis in axes[i]:
                others = [a for a in range(g.ndim) if a != axis]
                outer = np.tensordot(g, g, (others, others))
                L[i][axis] = beta_2 * L[i][axis] + (1 - beta_2) * outer
            if t == 1:
                Q[i] = [
                    np.linalg.eigh(L[i][a])[1][:, ::-1] if a in axes[i] else None
                    for a in range(g.ndim)
                ]
            elif (t - 1) % k == 0:
                for axis in axes[i]:
                    product = L[i][axis] @ Q[i][axis]
                    order = np.argsort(-np.diag(Q[i][axis].T @ product), kind="stable")
                    v[i] = np.take(v[i], order, axis)
                    Q[i][axis] = np.linalg.qr(product[:, order])[0]
        return weights

    return step


def test_reference():
    assert_same_paths(lambda: SOAP(**SETTINGS), paths(reference))


def test_golden():
    # the peer takes its QR decompositions in float32
    make, expected = functools.partial(SOAP, **SETTINGS), golden("pytorch_optimizer_soap")
    assert_same_paths(make, expected, ("float64",), {"float64": 1e-5})


def test_turning_the_problem_turns_the_path():
    """Its steps do not depend on the basis of the weights, as Adam's do."""
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(2))
    gradients, ends = rng.normal(size=(8, 3, 3)), []
    for turn in (lambda g: g, lambda g: left @ g @ right):
        optimizer, w = SOAP(0.1, refresh_period=2), keras.Variable(np.zeros((3, 3)))
        for g in gradients:
            optimizer.apply([ops.convert_to_tensor(turn(g).astype("float32"))], [w])
        ends.append(ops.convert_to_numpy(w.value))
    np.testing.assert_allclose(ends[1], left @ ends[0] @ right, atol=1e-4)


def test_zeros_stay():
    optimizer, w = SOAP(0.1), keras.Variable(np.ones((3, 2)))
    for _ in range(3):
        optimizer.apply([ops.zeros((3, 2))], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(w.value), np.ones((3, 2)))


def test_nan_is_kept():
    optimizer, w = SOAP(0.1), keras.Variable(np.ones((3, 2)))
    for _ in range(3):
        optimizer.apply([ops.full((3, 2), float("nan"))], [w])
    assert np.isnan(ops.convert_to_numpy(w.value)).all()
