import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.conformance import backend
from kcatalog.conformance.descent import two_replicas
from kcatalog.optimizers import LazyAdam
from tests.golden.load import golden
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths

SETTINGS = {"learning_rate": 0.0625, "beta_1": 0.75, "beta_2": 1 - 2**-10}
TENSORFLOW = pytest.mark.skipif(backend.NAME != "tensorflow", reason="TensorFlow alone has slices")


def reference(start, lr=0.0625, beta_1=0.75, beta_2=1 - 2**-10, epsilon=1e-7, lazy=False):
    """Algorithm 1 of Kingma and Ba, one number at a time; `lazy` leaves out rows of zeros."""
    weights = [w.copy() for w in start]
    m, v = [np.zeros_like(w) for w in start], [np.zeros_like(w) for w in start]
    t = 0

    def step(gradients):
        nonlocal t
        t += 1
        for k, g in enumerate(gradients):
            for i in np.ndindex(g.shape):
                if lazy and not g[i[0]].any():
                    continue
                m[k][i] = beta_1 * m[k][i] + (1 - beta_1) * g[i]
                v[k][i] = beta_2 * v[k][i] + (1 - beta_2) * g[i] ** 2
                m_hat, v_hat = m[k][i] / (1 - beta_1**t), v[k][i] / (1 - beta_2**t)
                weights[k][i] -= lr * m_hat / (np.sqrt(v_hat) + epsilon)
        return weights

    return step


def test_reference():
    """Weights that are no tables take Adam's steps."""
    assert_same_paths(lambda: LazyAdam(**SETTINGS), paths(reference))


def test_golden():
    settings = {**SETTINGS, "epsilon": 1e-14}  # TFA adds it before the correction
    assert_same_paths(lambda: LazyAdam(**settings), golden("tfa_optimizer_lazy_adam"))


def _lookups():
    """Rows, some twice, and their gradients, for a table of 6 rows."""
    rng = np.random.default_rng(0)
    return [(rng.integers(5, size=4), rng.normal(size=(4, 3))) for _ in range(6)]


def _dense(rows, values):
    g = np.zeros((6, 3))
    np.add.at(g, rows, values)
    return g


def _table():
    start = np.random.default_rng(1).normal(size=(6, 3))
    return keras.Variable(start, dtype="float32", name="embeddings"), start


def _expected():
    step = reference([_table()[1]], lazy=True)
    return [step([_dense(*each)])[0].copy() for each in _lookups()]


def test_reference_of_tables():
    optimizer, (w, _) = LazyAdam(**SETTINGS), _table()
    for each, expected in zip(_lookups(), _expected(), strict=True):
        optimizer.apply([ops.convert_to_tensor(_dense(*each), "float32")], [w])
        np.testing.assert_allclose(ops.convert_to_numpy(w.value), expected, 1e-5, 1e-6)


@TENSORFLOW
@pytest.mark.parametrize("how", ["eager", "graph", "xla"])
def test_slices(how):
    import tensorflow as tf

    optimizer, (w, _) = LazyAdam(**SETTINGS), _table()
    optimizer.build([w])

    def step(rows, values):
        optimizer.apply([tf.IndexedSlices(values, rows, tf.constant([6, 3]))], [w])

    if how != "eager":
        step = tf.function(step, jit_compile=how == "xla")
    for (rows, values), expected in zip(_lookups(), _expected(), strict=True):
        step(tf.constant(rows), tf.constant(values, "float32"))
        np.testing.assert_allclose(ops.convert_to_numpy(w.value), expected, 1e-5, 1e-6)


@TENSORFLOW
def test_keras_squares_repeated_rows_one_by_one():
    """Keras's Adam adds squares where the square of the sum is meant, and moves all rows."""
    import tensorflow as tf

    moments = {}
    for optimizer in (LazyAdam(0.1, beta_2=0.75), keras.optimizers.Adam(0.1, beta_2=0.75)):
        w = keras.Variable(np.zeros((2, 1), "float32"), name="embeddings")
        twice = tf.IndexedSlices(tf.constant([[1.0], [1.0]]), tf.constant([0, 0]), (2, 1))
        optimizer.apply([twice], [w])
        moments[type(optimizer).__name__] = float(optimizer.variables[-1].numpy()[0, 0])
        before = ops.convert_to_numpy(w.value).copy()
        other = tf.IndexedSlices(tf.constant([[1.0]]), tf.constant([1]), (2, 1))
        optimizer.apply([other], [w])
        moved = float(ops.convert_to_numpy(w.value)[0, 0]) != before[0, 0]
        assert moved == (type(optimizer) is not LazyAdam)
    assert moments["LazyAdam"] == (1 - 0.75) * (1 + 1) ** 2
    assert moments["Adam"] < moments["LazyAdam"]


def _model(jit_compile=backend.JIT):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Embedding(50, 4), keras.layers.Flatten(), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((5,), dtype="int32"), *layers])
    model.compile(LazyAdam(0.1), "mse", jit_compile=jit_compile)
    return model


def _train(model):
    x = np.random.default_rng(0).integers(20, size=(32, 5))
    model.fit(x, x.mean(axis=1), batch_size=8, epochs=2, verbose=0, shuffle=False)
    return [ops.convert_to_numpy(w.value) for w in model.trainable_variables]


def test_in_a_model_words_that_do_not_occur_stay():
    model = _model()
    start = ops.convert_to_numpy(model.trainable_variables[0].value).copy()
    table = _train(model)[0]
    np.testing.assert_array_equal(table[20:], start[20:])
    assert np.all(table[:20] != start[:20])


@TENSORFLOW
@pytest.mark.slow
def test_two_replicas_equal_one():
    with two_replicas().scope():
        mirrored = _model()
    for a, b in zip(_train(mirrored), _train(_model()), strict=True):
        np.testing.assert_allclose(a, b, 1e-4, 1e-5)
