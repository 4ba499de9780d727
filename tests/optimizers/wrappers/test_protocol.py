"""Keras's own expectations of an optimizer, in our words, of every wrapper.

What holds for any optimizer is checked for every part by `kcatalog.conformance`. Here stand the
messages and the numbers that only these wrappers, around these optimizers, have.
"""

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import registry
from kcatalog.conformance import descent
from kcatalog.conformance.subject import Subject
from kcatalog.optimizers import Lookahead, Wrapper
from kcatalog.optimizers.wrappers.sharpness_aware import SharpnessAware

WRAPPERS = [  # that step once for each gradient; tests/training and test_*sam.py try the others
    Subject.of(cls)
    for cls in (e.load() for e in registry.find(kind="optimizers", origin="kcatalog"))
    if issubclass(cls, Wrapper)
    and not issubclass(cls, SharpnessAware)
    and cls.batches_per_step == 1
]
each_wrapper = pytest.mark.parametrize("wrapper", WRAPPERS, ids=lambda s: s.name)
G = np.array([[1.0, 2.0], [3.0, 4.0]], "float32")


def value(variable):
    return ops.convert_to_numpy(variable.value)


def variables(count=2):
    return [keras.Variable(G + i, name=f"w{i}") for i in range(count)]


def gradient(factor=1.0):
    return ops.convert_to_tensor(factor * G)


@each_wrapper
def test_iterations_count_steps_and_apply_gradients_returns_them(wrapper):
    optimizer, (w,) = wrapper.make(inner="sgd"), variables(1)
    assert int(optimizer.iterations) == 0
    for step in (1, 2):
        assert int(optimizer.apply_gradients([(gradient(), w)])) == step
    assert int(optimizer.iterations) == int(optimizer.inner.iterations) == 2


@each_wrapper
def test_calls_that_cannot_be_a_step_are_refused_and_leave_no_trace(wrapper):
    optimizer, (a, b) = wrapper.make(inner="sgd"), variables()
    with pytest.raises(ValueError, match="`trainable_variables` must be a list of variables"):
        optimizer.apply([gradient()])
    with pytest.raises(ValueError, match="`grads` must be a list of 2 gradients"):
        optimizer.apply([gradient()], [a, b])
    optimizer.build([a, b])
    with pytest.raises(ValueError, match="`grads` must be a list of 2 gradients"):
        optimizer.apply([gradient()])
    with pytest.raises(ValueError, match="Unknown variable"):
        optimizer.apply([gradient()], variables(1))
    with pytest.raises(ValueError, match="No gradients provided"):
        optimizer.apply([None, None], [a, b])
    with pytest.raises(NotImplementedError, match="call `apply`"):
        optimizer.update_step(gradient(), a, 0.1)
    assert int(optimizer.iterations) == 0
    np.testing.assert_array_equal(value(a), G)
    optimizer.apply(iter([gradient(), gradient()]), iter([a, b]))
    assert int(optimizer.iterations) == 1


@each_wrapper
def test_set_weights_needs_an_optimizer_that_is_built_and_alike(wrapper):
    first, second, (w,) = wrapper.make(inner="adam"), wrapper.make(inner="adam"), variables(1)
    first.apply([gradient()], [w])
    with pytest.raises(ValueError, match="build"):
        second.set_weights(first.variables)
    second.build([w])
    second.set_weights(first.variables)
    with pytest.raises(ValueError, match=r"`weights` must be the \d+ values of `variables`"):
        second.set_weights(first.inner.variables)


@each_wrapper
def test_own_variables_are_those_around_the_inner_optimizer(wrapper):
    """Keras walks to `inner` by itself: its state stands in a file once."""
    first, second, (w,) = wrapper.make(inner="adam"), wrapper.make(inner="adam"), variables(1)
    for _ in range(3):
        first.apply([gradient()], [w])
    second.build([w])
    for a, b in ((first, second), (first.inner, second.inner)):
        store = {}
        a.save_own_variables(store)
        b.load_own_variables(store)
    for a, b in zip(first.variables, second.variables, strict=True):
        np.testing.assert_array_equal(value(a), value(b))
    with pytest.warns(UserWarning, match="Skipping variable loading"):
        second.load_own_variables({})


@each_wrapper
def test_variables_have_paths_of_their_own(wrapper):
    optimizer, ws = wrapper.make(inner=wrapper.make(inner="adam")), variables()
    optimizer.build(ws)
    paths = [v.path for v in optimizer.variables]
    assert len(set(paths)) == len(paths)
    assert {f"{optimizer.name}/w0_{slot}" for slot in wrapper.cls.slots} <= set(paths)


@each_wrapper
def test_names_are_made_up_and_kept(wrapper):
    named = wrapper.make(inner="sgd", name="mine")
    assert keras.optimizers.deserialize(keras.optimizers.serialize(named)).name == "mine"
    first, second = wrapper.make(inner="sgd"), wrapper.make(inner="sgd")
    assert first.name != second.name


@each_wrapper
@pytest.mark.parametrize("inner", ["adam", "sgd"])
def test_micro_batches_make_the_step_of_their_mean_with_weight_decay(wrapper, inner):
    def make(**settings):
        return wrapper.make(
            inner={"class_name": inner, "config": {"weight_decay": 0.05, **settings}}
        )

    (a,), (b,) = variables(1), variables(1)
    whole, parts = make(), make(gradient_accumulation_steps=3)
    for micro in np.random.default_rng(0).normal(size=(4, 3, 2, 2)).astype("float32"):
        whole.apply([ops.convert_to_tensor(micro.mean(axis=0))], [a])
        for g in micro:
            parts.apply([ops.convert_to_tensor(g)], [b])
    np.testing.assert_allclose(value(a), value(b), rtol=1e-4, atol=1e-5)


@each_wrapper
def test_accumulation_of_what_is_overwritten_takes_the_largest(wrapper):
    optimizer = wrapper.make(inner=keras.optimizers.SGD(1.0, gradient_accumulation_steps=2))
    scale, w = variables()
    scale.overwrite_with_gradient = True
    optimizer.apply([gradient(2.0), gradient()], [scale, w])
    np.testing.assert_array_equal(value(scale), G)
    optimizer.apply([gradient(3.0), gradient()], [scale, w])
    np.testing.assert_array_equal(value(scale), 3 * G)


@each_wrapper
def test_excluded_variables_do_not_decay(wrapper):
    def ends(decay, exclusion):
        optimizer = wrapper.make(inner=keras.optimizers.SGD(1.0, weight_decay=decay))
        a, b = variables()
        optimizer.exclude_from_weight_decay(**{k: v or [b] for k, v in exclusion.items()})
        optimizer.apply([gradient(0.0), gradient(0.0)], [a, b])
        return value(a), value(b)

    for exclusion in ({"var_names": ["w1"]}, {"var_list": None}):
        (a, b), (decayed, kept) = ends(0.0, exclusion), ends(0.5, exclusion)
        np.testing.assert_allclose(a - decayed, 0.5 * G, rtol=1e-3)
        np.testing.assert_allclose(kept, b)


@each_wrapper
def test_a_learning_rate_becomes_a_schedule_but_not_back(wrapper):
    optimizer = wrapper.make(inner=keras.optimizers.SGD(0.5))
    count = len(optimizer.variables)
    optimizer.learning_rate = 0.25
    assert float(optimizer.learning_rate) == float(optimizer.inner.learning_rate) == 0.25
    optimizer.learning_rate = keras.optimizers.schedules.PolynomialDecay(0.5, 4)
    assert len(optimizer.variables) == count - 1
    with pytest.raises(TypeError, match="not settable"):
        optimizer.learning_rate = 0.1


@each_wrapper
@pytest.mark.skipif(keras.backend.backend() != "jax", reason="stateless_apply is JAX's")
def test_stateless_apply_takes_all_of_its_state(wrapper):
    optimizer, (w,) = wrapper.make(inner="adam"), variables(1)
    with pytest.raises(ValueError, match="must be built"):
        optimizer.stateless_apply([], [gradient()], [w.value])
    optimizer.build([w])
    state = [v.value for v in optimizer.variables]
    with pytest.raises(ValueError, match="corresponding 1:1"):
        optimizer.stateless_apply(state[1:], [gradient()], [w.value])
    across = ops.convert_to_tensor(G[::-1].copy())  # not along the weight
    (new,), state = optimizer.stateless_apply(state, [across], [w.value])
    assert len(state) == len(optimizer.variables)
    np.testing.assert_array_equal(value(w), G)  # nothing is assigned
    assert not np.array_equal(new, G)


@each_wrapper
@pytest.mark.tensorflow
def test_variables_of_tensorflow_and_of_keras_mix(wrapper):
    import tensorflow as tf

    if wrapper.name == "GradientNoise":
        pytest.skip("a weight's noise depends on its place among the weights")
    optimizer, (w,), v = wrapper.make(inner="adam"), variables(1), tf.Variable(G)
    across = ops.convert_to_tensor(G[::-1].copy())  # not along the weight
    for _ in range(7):
        optimizer.apply_gradients([(across, w), (across, v)])
    np.testing.assert_allclose(value(w), v.numpy(), rtol=1e-6)
    assert not np.allclose(v.numpy(), G)
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply_gradients([(gradient(), w), (None, v)])


@each_wrapper
@pytest.mark.tensorflow
def test_a_checkpoint_of_tensorflow_holds_all_of_the_state(wrapper, tmp_path):
    import tensorflow as tf

    optimizer, (w,) = wrapper.make(inner="adam"), variables(1)
    for _ in range(4):
        optimizer.apply([gradient()], [w])
    saved = [value(v) for v in optimizer.variables]
    checkpoint = tf.train.Checkpoint(optimizer=optimizer)
    path = checkpoint.save(str(tmp_path / "checkpoint"))
    optimizer.apply([gradient()], [w])
    checkpoint.restore(path)
    for v, expected in zip(optimizer.variables, saved, strict=True):
        np.testing.assert_array_equal(value(v), expected)


@each_wrapper
@pytest.mark.parametrize("scaled", [False, True], ids=["plain", "LossScaleOptimizer"])
def test_averages_of_inner_are_swapped_in_on_the_layers_that_train(wrapper, scaled):
    """Also where the inner optimizer was built on more weights, in another order."""
    inner = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
    a, b, c = ws = variables(3)
    inner.build([c, b, a])
    optimizer = wrapper.make(inner=inner)
    optimizer.build([a, c])
    for v, average in zip([c, b, a], inner._model_variables_moving_average, strict=True):
        average.assign(10 + v.value)
    holder = type("Model", (), {"optimizer": optimizer})()
    if scaled:
        holder.optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    callback = keras.callbacks.SwapEMAWeights()
    callback.set_model(holder)
    callback.on_test_begin()
    for i, v in enumerate(ws):
        np.testing.assert_allclose(value(v), G + i + (0 if v is b else 10))


@each_wrapper
def test_no_average_to_swap_is_said_in_kerass_words(wrapper):
    callback = keras.callbacks.SwapEMAWeights()
    callback.set_model(type("Model", (), {"optimizer": wrapper.make(inner="sgd")})())
    with pytest.raises(ValueError, match="`use_ema=True` is set on the optimizer"):
        callback.on_test_begin()


@each_wrapper
@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="Keras on JAX: an optimizer takes all weights or none"
)
def test_a_layer_frozen_in_the_middle_stays(wrapper):
    """Freeze a layer, compile with the same optimizer, and fit on."""
    first, last = keras.layers.Dense(3), keras.layers.Dense(1)
    model = keras.Sequential([keras.Input((2,)), first, last])
    inner = keras.optimizers.SGD(0.05)
    optimizer = wrapper.make(inner=inner)
    x, y = np.ones((4, 2), "float32"), np.zeros((4, 1), "float32")
    model.compile(optimizer, "mse", run_eagerly=keras.backend.backend() == "tensorflow")
    for _ in range(4):
        model.train_on_batch(x, y)
    first.trainable = False
    model.compile(optimizer, "mse", run_eagerly=keras.backend.backend() == "tensorflow")
    before = value(first.kernel), value(last.kernel)
    for _ in range(7):
        model.train_on_batch(x, y)
    optimizer.finalize_variable_values(model.trainable_weights)  # as `fit` does
    np.testing.assert_array_equal(value(first.kernel), before[0])
    assert not np.allclose(value(last.kernel), before[1])


@each_wrapper
def test_weights_in_turns_are_wrapped_each_by_itself(wrapper):
    """One optimizer for two models that step in turns, as a GAN's: each moves as if alone."""
    if wrapper.name == "GradientNoise":
        pytest.skip("a weight's noise depends on its place among the weights")
    gradients = [ops.convert_to_tensor(g) for g in descent.gradients(wrapper, 7)]
    expected = descent.run(descent.make(wrapper), descent.gradients(wrapper, 7))
    optimizer, a, b = descent.make(wrapper), descent.weight("a"), descent.weight("b")
    optimizer.build([a, b])
    for g, w in zip(gradients, expected, strict=True):
        for v in (a, b):
            optimizer.apply([g], [v])
            np.testing.assert_allclose(value(v), w, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("iterations", [0, 1000, 1001])
def test_slow_weights_begin_with_the_wrapper_not_with_the_step_number(iterations):
    w = keras.Variable(np.ones(2, "float32"))
    optimizer = Lookahead(keras.optimizers.SGD(0.3), 2)
    optimizer.build([w])
    optimizer.iterations.assign(iterations)
    for _ in range(2):
        optimizer.apply([ops.ones(2)], [w])
    np.testing.assert_allclose(value(w), 0.7, rtol=1e-6)


def test_restart_takes_loaded_weights_for_slow_ones_also_inside():
    w = keras.Variable(np.zeros(2, "float32"))
    optimizer = Lookahead(Lookahead(keras.optimizers.SGD(0.1), 1), 1)
    optimizer.restart()  # before anything is built: nothing to begin anew
    optimizer.apply([ops.ones(2)], [w])
    w.assign([10.0, 10.0])
    optimizer.restart()
    optimizer.apply([ops.ones(2)], [w])
    np.testing.assert_allclose(value(w), 9.975, rtol=1e-6)


def test_an_inner_optimizer_built_for_other_weights_is_refused():
    inner = keras.optimizers.SGD()
    inner.build(variables(1))
    with pytest.raises(ValueError, match="Unknown variable"):
        Lookahead(inner).apply([gradient()], variables(1))


def test_a_misplaced_setting_is_sent_to_the_inner_optimizer():
    with pytest.raises(ValueError, match=r"Lookahead\(keras.optimizers.SGD\(learning_rate=0.1\)"):
        Lookahead("sgd", learning_rate=0.1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'learning_rat'"):
        Lookahead("sgd", learning_rat=0.1)
