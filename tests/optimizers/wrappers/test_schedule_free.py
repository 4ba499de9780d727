import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import ScheduleFree
from kcatalog.optimizers.schedules import WarmUp
from tests.golden.load import golden
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import PROBLEMS, paths

RATE, BETA = 0.0625, 0.75


class Rising(keras.optimizers.schedules.LearningRateSchedule):
    """The warm-up of the authors' code: the first step has a rate, too."""

    def __call__(self, step):
        t = ops.cast(step, keras.config.floatx())
        return RATE * ops.minimum(1.0, (t + 1) / 8)


def reference(start, rates, beta, p=2.0, r=0.0, average=None):
    """Equations 4 to 6 of Defazio et al., one number at a time; `average` receives `x`."""
    z = [list(w.ravel()) for w in start]
    x = [list(w.ravel()) for w in start]
    y = [list(w.ravel()) for w in start]
    t, total = 0, 0.0

    def step(gradients):
        nonlocal t, total
        rate = rates(t)
        t += 1
        a = t**r * rate**p
        total += a
        c = a / total if total > 0 else 0.0
        for k, g in enumerate(gradients):
            for i, g_i in enumerate(g.ravel()):
                z[k][i] -= rate * g_i
                x[k][i] = (1 - c) * x[k][i] + c * z[k][i]
                y[k][i] = (1 - beta) * z[k][i] + beta * x[k][i]
        if average is not None:
            average[:] = [np.reshape(w, s.shape) for w, s in zip(x, start, strict=True)]
        return [np.reshape(w, s.shape) for w, s in zip(y, start, strict=True)]

    return step


@pytest.mark.parametrize(
    ("rates", "options"),
    [
        (lambda t: RATE, {}),
        (lambda t: RATE * min(1.0, t / 8), {"r": 1.0}),  # the first step has rate 0
        (lambda t: RATE / 2**t, {"weight_lr_power": 1.0, "beta": 1.0}),  # falls: the paper's rule
    ],
)
def test_reference(rates, options):
    schedules = [
        RATE,
        WarmUp(RATE, 8),
        keras.optimizers.schedules.ExponentialDecay(RATE, 1, 0.5),
    ]
    schedule = next(s for s in schedules if _matches(s, rates))
    options = {"beta": BETA, **options}
    named = {"beta": options["beta"], "p": options.get("weight_lr_power", 2.0)}
    expected = paths(lambda start: reference(start, rates, r=options.get("r", 0.0), **named))
    make = lambda: ScheduleFree(keras.optimizers.SGD(schedule), **options)  # noqa: E731
    assert_same_paths(make, expected, ("float32",))


def _matches(schedule, rates):
    at = [float(schedule(t)) if callable(schedule) else schedule for t in range(12)]
    return np.allclose(at, [rates(t) for t in range(12)])


def sgd(rate=RATE, **options):
    return keras.optimizers.SGD(rate, **options)


def adamw():
    return keras.optimizers.AdamW(
        Rising(), weight_decay=2**-6, beta_1=0.0, beta_2=1 - 2**-10, epsilon=1e-16
    )


@pytest.mark.parametrize(
    ("name", "inner", "r"),
    [
        ("schedulefree_sgd", lambda: sgd(Rising(), weight_decay=2**-6), 1.0),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                ("optax_optimizer_schedule_free_sgd", sgd, 0.0),
                ("pytorch_optimizer_schedule_free", sgd, 0.0),
                ("schedulefree_adamw", adamw, 0.0),
            )
        ),
    ],
)
def test_golden(name, inner, r):
    make = lambda: ScheduleFree(inner(), beta=BETA, r=r)  # noqa: E731
    assert_same_paths(make, golden(name), ("float64",))  # in float32 against the reference


def train(optimizer, w, problem, steps):
    for _ in range(steps):
        gradients = problem.gradients([ops.convert_to_numpy(v.value) for v in w])
        optimizer.apply([ops.convert_to_tensor(g, "float32") for g in gradients], w)
    return [ops.convert_to_numpy(v.value) for v in w]


def test_the_model_ends_with_x_and_goes_on_from_it():
    problem, average = PROBLEMS["logistic"], []
    step = reference(problem.start(), lambda t: RATE, BETA, average=average)
    y = problem.start()
    for _ in range(10):
        y = step(problem.gradients(y))
    w = [keras.Variable(v, dtype="float32") for v in problem.start()]
    optimizer = ScheduleFree(sgd(), beta=BETA)
    train(optimizer, w, problem, 10)
    for _ in range(2):  # twice is as once
        optimizer.finalize_variable_values(w)
        for v, x in zip(w, average, strict=True):
            np.testing.assert_allclose(ops.convert_to_numpy(v.value), x, 1e-5, 1e-5)
    y = step(problem.gradients(average))  # the first gradient after `fit` is taken at x
    for _ in range(9):
        y = step(problem.gradients(y))
    for v, expected in zip(train(optimizer, w, problem, 10), y, strict=True):
        np.testing.assert_allclose(v, expected, 1e-5, 1e-5)


def test_beta_of_zero_is_polyaks_averaging_beside_the_inner_optimizer():
    problem = PROBLEMS["logistic"]
    w = [keras.Variable(v, dtype="float32") for v in problem.start()]
    alone = [keras.Variable(v, dtype="float32") for v in problem.start()]
    found = train(ScheduleFree(sgd(), beta=0.0), w, problem, 5)
    for a, b in zip(found, train(sgd(), alone, problem, 5), strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-6)


def test_a_rate_of_zero_weighs_nothing_and_a_nan_stays():
    w = keras.Variable([1.0, 2.0])
    optimizer = ScheduleFree(sgd(0.0))
    optimizer.apply([ops.ones(2)], [w])
    np.testing.assert_array_equal(ops.convert_to_numpy(w.value), [1, 2])
    optimizer.learning_rate = 0.5
    optimizer.apply([ops.convert_to_tensor([1.0, float("nan")])], [w])
    np.testing.assert_array_equal(ops.convert_to_numpy(w.value), [0.5, np.nan])


def test_it_keeps_one_slot_of_the_weights_size():
    optimizer, w = ScheduleFree(sgd()), keras.Variable(np.ones((4, 3), "float32"))
    optimizer.build([w])
    assert [tuple(v.shape) for v in optimizer.variables].count((4, 3)) == 1
