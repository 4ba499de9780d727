"""Optimizer wrappers with one fault each, and the checks that have to find it."""

import keras
from keras import ops

from kcatalog.card import Example, Part
from kcatalog.optimizers import Optimizer, Wrapper
from kcatalog.optimizers.wrappers.sharpness_aware import SharpnessAware
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


UPHILL = {**SGD, "tags": ("wrapper", "second-gradient")}


@broken("refuses_one_gradient", **UPHILL)
class StepsByOneGradient(SharpnessAware):
    """Steps like its inner optimizer where nothing computes a second gradient."""

    def scale(self, w):
        return 1.0

    def apply(self, grads, trainable_variables=None):
        Wrapper.apply(self, grads, trainable_variables)


@broken("steps_by_second_gradient", **UPHILL)
class StaysWhereItIs(SharpnessAware):
    """Takes its second gradient where it took the first."""

    def perturbed(self, gradients, weights):
        return [ops.convert_to_tensor(w) for w in weights]


@broken("resumes", **SGD)
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
    "accumulates_gradients-Nesterov",
    "unscales_gradients-Nesterov",
    "replicas_step_as_one-Nesterov",
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


@broken("decays_weights-Nesterov", "clips-clipnorm", "averages_weights-Nesterov", **SGD)
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


# --- the protocol -----------------------------------------------------------------------


@broken("copies_its_state-Adam", **SGD)
class DropsMoments(Wrapper):
    """Takes over its own variables, and not those of the optimizer inside."""

    def set_weights(self, weights):
        keras.optimizers.Optimizer.set_weights(self, weights)


@broken("empty_apply", **SGD)
class BuildsOnNothing(Wrapper):
    """Is built on no variables by `apply([], [])`."""

    def apply(self, grads, trainable_variables=None):
        self.build(list(trainable_variables))
        super().apply(grads, trainable_variables)


@broken("pickles", **SGD)
class CannotBePickled(Wrapper):
    """Forgets in its config what it was made around."""

    def get_config(self):
        return {"name": self.name}


@broken("keeps_constraints-NonNeg", "keeps_constraints-UnitNorm", **SGD)
class LeavesTheAllowed(Wrapper):
    """Moves a weight after the optimizer has applied its constraint."""

    def apply(self, grads, trainable_variables=None):
        super().apply(grads, trainable_variables)
        for w in self._trainable_variables:
            w.assign(w.value - 0.5)


@broken("overwrites_with_gradient", **SGD)
class AveragesScales(Wrapper):
    """Treats a variable that is overwritten by its gradient as a weight."""

    def apply(self, grads, trainable_variables=None):
        before = [ops.copy(v.value) for v in trainable_variables]
        super().apply(grads, trainable_variables)
        for v, b in zip(trainable_variables, before, strict=True):
            v.assign(0.5 * (v.value + b))


@broken("swaps_inner_average", "settings_of_inner", **SGD)
class HidesItsInner(Wrapper):
    """Has settings of its own, which do nothing."""

    use_ema, weight_decay, _model_variables_moving_average = False, None, []


@broken("refuses_settings", **SGD)
class TakesAnything(Wrapper):
    """Accepts any keyword in silence."""

    def __init__(self, inner, name=None, **kwargs):
        super().__init__(inner, name)


@broken("learning_rate_rules-scheduler", "learning_rate_rules-plateau", **SGD)
class ReadsOneRate(Wrapper):
    """Tells another learning rate than it uses, and passes no new one on."""

    @property
    def learning_rate(self):
        return 0.5

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        pass


@broken("learning_rate_rules-callable", **SGD)
class CallsNoRate(Wrapper):
    """Cannot read a learning rate that is a function."""

    @property
    def learning_rate(self):
        return self.inner._learning_rate


# --- what a wrapper remembers, and of which weights -------------------------------------


@broken("leaves_others_alone", "frozen_and_thawed", **SGD)
class WritesEveryWeight(Wrapper):
    """Pulls back all weights that it was built with, whatever it is handed."""

    def apply(self, grads, trainable_variables=None):
        super().apply(grads, trainable_variables)
        for w in self._trainable_variables:
            w.assign(0.9 * w.value)


@broken("leaves_others_alone", **SGD)
class FinishesEveryWeight(Wrapper):
    """Leaves `var_list` unread at the end of training."""

    def finalize_variable_values(self, var_list):
        for w in self._trainable_variables:
            w.assign(0.9 * w.value)


@broken(
    "begins_with_the_wrapper-iterations",
    "begins_with_the_wrapper-trained_inner",
    **SGD,
)
class BeginsWithTheIterations(Wrapper):
    """Fills its slow weights at iteration 0 only, where an optimizer may be past that."""

    slots = {"slow": "weight"}

    def _start_slots(self, places):
        if int(ops.convert_to_numpy(self.iterations)) == 0:
            super()._start_slots(places)

    def after_update(self, weight, slow, step):
        return 0.5 * (weight + slow), slow


@broken("begins_with_the_wrapper-restart", **SGD)
class RestartsInPart(Wrapper):
    """Goes on with its old slow weights."""

    slots = {"slow": "weight"}

    def after_update(self, weight, slow, step):
        slow = 0.5 * (weight + slow)
        return slow, slow

    def restart(self):
        pass


# --- layouts and magnitudes -------------------------------------------------------------


@broken("untouched_rows_stay", **SGD)
class CentresColumns(Wrapper):
    """Takes a table's mean over its rows."""

    def transform_gradients(self, gradients, variables):
        return [g - ops.mean(g, axis=0, keepdims=True) for g in gradients]


@broken("squares_representable-float32", "squares_representable-float16", **SGD)
class SquaresOverflow(Wrapper):
    """Divides by a norm whose squares overflow."""

    def transform_gradients(self, gradients, variables):
        return [300.0 * g / ops.sqrt(ops.sum(ops.square(g))) for g in gradients]


# --- optimizers that wrap nothing -------------------------------------------------------


@broken("clips_gradients-clipvalue", example=Example({"learning_rate": 0.1}))
class ClipsNothing(Optimizer):
    """Plain descent that takes every gradient as it comes."""

    def update(self, w, g, lr, t):
        return (w - lr * g,)

    def _clip_gradients(self, grads):
        return grads


@broken("steps_of_each_weight", example=Example({"learning_rate": 0.1}))
class MixesWeights(Optimizer):
    """Divides by the sum of all gradients, and says nothing of it."""

    def across(self, groups, lr, t):
        return {"total": sum(ops.sum(ops.abs(g)) for _, g, *_ in groups)}

    def update(self, w, g, lr, t, total):
        return (w - lr * g / total,)
