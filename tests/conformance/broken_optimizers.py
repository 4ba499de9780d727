"""Optimizer wrappers with one fault each, and the checks that have to find it."""

import keras
from keras import ops

from kcatalog.card import Example, Part
from kcatalog.optimizers import Wrapper
from tests.conformance.broken_parts import broken

SGD = {
    "example": Example({"inner": Part("keras.optimizers.SGD", learning_rate=0.1)}),
    "tags": ("wrapper",),
}


@broken("converges-quadratic", "mixed_float16", **SGD)
class Climbs(Wrapper):
    """Goes up the hill."""

    def transform_gradients(self, gradients, variables):
        return [-g for g in gradients]


@broken("resumes-plain", **SGD)
class ForgetsItsSlots(Wrapper):
    """Saves its slow weights and does not read them back."""

    slots = {"slow": "weight"}

    def after_update(self, weight, slow, step):
        return 0.5 * (weight + slow), slow

    def load_own_variables(self, store):
        pass


@broken("compiled_equals_eager", "stateless_equals_stateful", **SGD)
class CountsStepsInPython(Wrapper):
    """A number that only changes while nothing is compiled."""

    step = 0

    def transform_gradients(self, gradients, variables):
        self.step += 1
        return [g / self.step for g in gradients]


@broken(
    "accumulates_gradients",
    "scales_losses-loss_scale_factor",
    "two_replicas_equal_one",
    "two_replicas_clip_as_one",
    **SGD,
)
class TransformsTooEarly(Wrapper):
    """Bends the gradient where it is still scaled, of one micro-batch and of one replica."""

    def apply(self, grads, trainable_variables=None):
        super().apply([ops.tanh(g) for g in grads], trainable_variables)


@broken("skips_overflow", "wraps_itself", **SGD)
class CountsTwice(Wrapper):
    """Tells twice as many updates as there were."""

    @property
    def iterations(self):
        return ops.multiply(self.inner.iterations, 2)


@broken("learning_rate_rules-assigned", **SGD)
class KeepsItsRate(Wrapper):
    """Swallows an assigned learning rate."""

    @property
    def learning_rate(self):
        return self.inner.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        pass


@broken("decays_weights", "clips-clipnorm", "averages_like_inner", **SGD)
class StripsSettings(Wrapper):
    """Takes the inner optimizer's settings away."""

    def __init__(self, inner, name=None):
        super().__init__(inner, name)
        self.inner.weight_decay = self.inner.clipnorm = None
        self.inner.use_ema = False


@broken("wraps_by_name", **SGD)
class TakesInstancesOnly(Wrapper):
    """Cannot be given "adam"."""

    def __init__(self, inner, name=None):
        if not isinstance(inner, keras.optimizers.Optimizer):
            raise TypeError("no names")
        super().__init__(inner, name)


@broken("gradient_unchanged", **{**SGD, "tags": ("wrapper", "averages-weights")})
class SaysItOnlyAverages(Wrapper):
    """Doubles the gradient all the same."""

    def transform_gradients(self, gradients, variables):
        return [2.0 * g for g in gradients]


@broken("gradient_changed", **{**SGD, "tags": ("wrapper", "transforms-gradients")})
class SaysItTransforms(Wrapper):
    """Does nothing."""
