"""From gradient descent to Adam

All of these methods go downhill by gradients. They differ in what they remember: nothing, the past
direction, or the size of past gradients. On a quadratic function `½ Σ λ w²` we can see how much
each helps.
"""

import keras
import numpy as np
from keras import ops

from docs.site.plots.figure import figure
from docs.theory.statement import tested_by
from kcatalog.conformance import descent
from kcatalog.conformance.backend import as_numpy

VALLEY = np.array([1.0, 100.0])  # its curvatures: condition 100


def path(optimizer, steps, curvature=VALLEY, noise=0.0):
    """Return the weights at each step down a valley from (1, 1)."""
    rng, w = np.random.default_rng(0), keras.Variable(np.ones(2, "float32"))
    step, found = descent.steps(optimizer, w), [np.ones(2)]
    for _ in range(steps):
        gradient = curvature * found[-1] + noise * rng.normal(size=2)
        step(ops.convert_to_tensor(gradient.astype("float32")))
        found.append(as_numpy(w))
    return np.array(found)


def distances(*arguments, **options):
    return np.linalg.norm(path(*arguments, **options), axis=1)


def steps_to(distance, tolerance=1e-3):
    """Return the first step within a tolerance of the minimum."""
    return int(np.argmax(distance < tolerance))


def compared(found, xlabel="step", ylabel="distance from the minimum"):
    """Return the figure of distances over steps."""
    with figure() as ((axes,), out):
        for label, distance in found.items():
            axes.semilogy(np.maximum(distance, 1e-8), label=label)
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.legend(fontsize=8)
    return out.getvalue()


@tested_by(
    "test_optimization.py", "test_gradient_descent_converges_below_two_over_the_largest_curvature"
)
def the_steepest_direction_bounds_the_learning_rate():
    """The steepest direction bounds the learning rate

    Gradient descent multiplies each coordinate by `1 - rate · λ` a step, so it converges for rates
    below `2 / λ` of the largest curvature, here 0.02. After 100 steps the distance from the minimum
    is {slow:.2g} at a rate of 0.002, {good:.2g} at 0.019, and {diverged:.1e} at 0.021.
    """
    found = {rate: distances(keras.optimizers.SGD(rate), 100) for rate in (0.002, 0.019, 0.021)}
    slow, good, diverged = (distance[-1] for distance in found.values())
    numbers = {"slow": slow, "good": good, "diverged": diverged}
    return numbers, compared({f"rate {rate}": d for rate, d in found.items()})


@tested_by("test_optimization.py", "test_averaging_weights_reduces_the_noise_of_a_constant_rate")
def noisy_gradients_end_in_a_cloud():
    """Stochastic gradients end in a cloud around the minimum

    A gradient from a few samples is right on average only. At a constant rate the weights stay a
    distance away that grows with the rate: over the last 500 of 2,000 steps {large:.2g} at 0.05 and
    {small:.2g} at 0.005. If the rate falls over time, the distance keeps shrinking, here to
    {falling:.2g}: the reason for schedules.
    """
    curvature, noise, steps = np.array([1.0, 10.0]), 1.0, 2000
    schedule = keras.optimizers.schedules.CosineDecay(0.05, steps)
    rates = {"large": 0.05, "small": 0.005, "falling": schedule}
    found = {
        name: distances(keras.optimizers.SGD(rate), steps, curvature, noise)
        for name, rate in rates.items()
    }
    labels = dict(zip(("rate 0.05", "rate 0.005", "falling"), found.values(), strict=True))
    ends = {name: d[-500:].mean() for name, d in found.items()}
    ends["falling"] = found["falling"][-50:].mean()
    return ends, compared(labels)


@tested_by(
    "test_optimization.py",
    "test_momentum_and_nesterov_need_fewer_steps_on_an_ill_conditioned_valley",
)
def momentum_speeds_up_an_ill_conditioned_valley():
    """Momentum and Nesterov's momentum speed up a narrow valley

    They remember past steps, so that what goes to and fro cancels and what goes along adds up. At
    condition 100, each with its best rate and momentum, plain descent needs {plain} steps to a
    thousandth of the distance, momentum {momentum} and Nesterov's {nesterov}. Theory says that the
    distance shrinks by `(κ - 1) / (κ + 1)` a step without and `(√κ - 1) / (√κ + 1)` with momentum.
    """
    share = 9 / 11
    methods = {
        "plain": keras.optimizers.SGD(2 / 101),
        "momentum": keras.optimizers.SGD((2 / 11) ** 2, momentum=share**2),
        "nesterov": keras.optimizers.SGD(1 / 100, momentum=share, nesterov=True),
    }
    found = {name: distances(optimizer, 400) for name, optimizer in methods.items()}
    return {name: steps_to(d) for name, d in found.items()}, compared(found)


@tested_by(
    "test_optimization.py",
    "test_adaptive_methods_need_the_same_steps_whatever_the_scale_of_a_coordinate",
)
def adaptive_methods_do_not_mind_the_scale():
    """AdaGrad, RMSProp and Adam do not mind the scale of a coordinate

    They divide each coordinate's step by the size of its own past gradients. Where one coordinate
    is ten thousand times as steep as the other, they take {adagrad}, {rmsprop} and {adam} steps to
    a twentieth of the distance, the same as where both are alike ({adagrad_even}, {rmsprop_even}
    and {adam_even}). For plain descent at its best rate theory says {plain:,.0f}.
    """

    def made():
        return {
            "adagrad": keras.optimizers.Adagrad(0.25, 0.0, epsilon=1e-12),
            "rmsprop": keras.optimizers.RMSprop(0.02, epsilon=1e-12),
            "adam": keras.optimizers.Adam(0.05, epsilon=1e-12),
        }

    numbers, found = {"plain": np.log(0.05) / np.log(9999 / 10001)}, {}
    for suffix, steep in (("", 1e4), ("_even", 1.0)):
        for name, optimizer in made().items():
            largest = np.abs(path(optimizer, 150, np.array([1.0, steep]))).max(axis=1)
            numbers[name + suffix] = steps_to(largest, 0.05)
            if not suffix:
                found[name] = largest
    return numbers, compared(found, ylabel="larger coordinate")


@tested_by("test_optimization.py", "test_adams_first_step_is_the_learning_rate")
def adams_step_is_about_its_learning_rate():
    """A step of Adam is about its learning rate, whatever the loss is multiplied by

    The first step is the learning rate in each coordinate, up to its sign. Multiply the loss by
    1,000 and SGD's first step is {sgd:,.0f} times as long, Adam's {adam:.2f} times.
    """
    makers = {
        "SGD": lambda: keras.optimizers.SGD(1e-5),
        "Adam": lambda: keras.optimizers.Adam(0.01, epsilon=1e-12),
    }
    lengths = {}
    with figure(2) as (both, out):
        for axes, (name, make) in zip(both, makers.items(), strict=True):
            for factor in (1, 1000):
                walked = path(make(), 30, factor * VALLEY)
                lengths[name, factor] = np.linalg.norm(walked[1] - walked[0])
                axes.plot(*walked.T, "o-", ms=3, label=f"loss times {factor}")
            axes.set_title(name)
            axes.set_xlabel("w₁")
            axes.set_ylabel("w₂")
            axes.legend(fontsize=8)
    ratio = {name.lower(): lengths[name, 1000] / lengths[name, 1] for name in makers}
    return ratio, out.getvalue()
