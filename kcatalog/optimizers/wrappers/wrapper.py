"""The base of optimizer wrappers: three small hooks around any Keras optimizer."""

import keras
from keras import ops

from kcatalog import checks
from kcatalog.optimizers.wrappers.gradient_hook import GradientHook
from kcatalog.optimizers.wrappers.replicas import assign_when

# Optimizers that hold others and cannot be held. Keras 3.13 has no MultiOptimizer yet.
_OUTER_ONLY = (
    keras.optimizers.LossScaleOptimizer,
    getattr(keras.optimizers, "MultiOptimizer", keras.optimizers.LossScaleOptimizer),
)


class Wrapper(keras.optimizers.Optimizer):
    """Changes what an optimizer is given, or what it leaves behind.

    The learning rate, weight decay, clipping, moving average, gradient accumulation and loss
    scaling stay those of the wrapped optimizer, which is built, saved and loaded with the wrapper.
    A wrapper is itself an optimizer, so wrappers nest: the outer one acts first on the gradient
    and last on the weights.

    A subclass states any of these, and its own arguments:

    - `transform_gradients(gradients, variables)`: new gradients. It sees what the update is made
      of: unscaled, averaged over accumulated micro-batches, summed over replicas, not yet clipped.
      It assigns nothing.
    - `after_update(weight, *slots, step)`: new values of one weight and of its slots, after update
      number `step` (1, 2, ...), whenever `due(step)`. Micro-batches that are only accumulated and
      steps that loss scaling skips are no updates.
    - `slots`: the variables kept beside each weight, as name -> what each holds before the first
      update: "weight" (a copy of the weight) or "zeros".

    Args:
        inner: The optimizer to wrap: an instance, a name such as `"adam"`, or a config.
        name: Name of the optimizer; None makes one up from the class.
    """

    inner = None
    slots = {}

    def __init__(self, inner, name=None):
        inner = _optimizer(self, inner)
        super().__init__(learning_rate=0.0, name=name)
        self.inner = inner
        self._hook = inner._hook if isinstance(inner, Wrapper) else GradientHook(inner)
        self._slots = []

    # --- what a subclass states ---------------------------------------------------------

    def transform_gradients(self, gradients, variables):
        return gradients

    def due(self, step):
        return True

    def after_update(self, weight, *slots, step):
        return weight, *slots

    # --- Keras's optimizer protocol -----------------------------------------------------

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        if not self.inner.built:  # it may have trained before it was wrapped
            self.inner.build(variables)
        self._slots = [self.add_optimizer_variables(variables, name) for name in self.slots]

    def apply(self, grads, trainable_variables=None):
        grads = list(grads)
        if not self.built and trainable_variables is not None:
            self.build(list(trainable_variables))
        variables = trainable_variables
        if variables is None:
            variables = self._trainable_variables
        before = ops.add(self.inner.iterations, 0)  # a copy: PyTorch counts in place
        self._start_slots(before)
        transform = self.transform_gradients if self._overrides("transform_gradients") else None
        with self._hook.running(transform, grads, list(variables)):
            self.inner.apply(grads, trainable_variables)
        self._finish_update(before, ops.add(self.inner.iterations, 0))

    def _start_slots(self, step):
        """Fill the slots from the weights that the first update starts from.

        Not in `build`: weights may be loaded between the two.
        """

        def first(weight, *slots):
            named = zip(self.slots.values(), slots, strict=True)
            return weight, *(weight if start == "weight" else slot for start, slot in named)

        if "weight" in self.slots.values():
            assign_when(ops.equal(step, 0), self._groups(), first)

    def _finish_update(self, before, step):
        def equation(weight, *slots_and_step):
            *slots, step = slots_and_step
            return self.after_update(weight, *slots, step=step)

        if self._overrides("after_update"):
            due = ops.logical_and(ops.not_equal(step, before), self.due(step))
            assign_when(due, self._groups(), equation, step)

    def _overrides(self, hook):
        return getattr(type(self), hook) is not getattr(Wrapper, hook)

    def _groups(self):
        """Each weight that the optimizer updates, with its slots."""
        groups = zip(self._trainable_variables, *self._slots, strict=True)
        return [g for g in groups if not getattr(g[0], "overwrite_with_gradient", False)]

    def finalize_variable_values(self, var_list):
        self.inner.finalize_variable_values(var_list)

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        self.inner.exclude_from_weight_decay(var_list, var_names)

    def scale_loss(self, loss):
        return self.inner.scale_loss(loss)

    def apply_gradients(self, grads_and_vars):
        super().apply_gradients(grads_and_vars)
        return self.iterations

    @property
    def variables(self):
        return [*self._variables, *self.inner.variables]

    @property
    def iterations(self):
        return self.inner.iterations

    @property
    def learning_rate(self):
        return self.inner.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        self.inner.learning_rate = learning_rate

    @property
    def loss_scale_factor(self):  # LossScaleOptimizer and MultiOptimizer assign it
        return self.inner.loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value):
        if self.inner is not None:  # Keras's own constructor assigns None before there is one
            self.inner.loss_scale_factor = value

    # `inner` is saved by Keras as an object of its own; here, only what the wrapper adds.

    def save_own_variables(self, store):
        for i, variable in enumerate(self._variables):
            store[str(i)] = ops.convert_to_numpy(variable)

    def load_own_variables(self, store):
        if len(store.keys()) == len(self._variables):
            for i, variable in enumerate(self._variables):
                variable.assign(store[str(i)])
        else:
            super().load_own_variables(store)  # warns, with Keras's words

    def get_config(self):
        return {"inner": keras.optimizers.serialize(self.inner), "name": self.name}


def _optimizer(owner, inner):
    """`inner` as an optimizer that can be wrapped."""
    rule = "a Keras optimizer, its name or its config"
    try:
        optimizer = keras.optimizers.get(inner)
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        raise checks.error(owner, "inner", rule, inner, 'For example: "adam".') from e
    if optimizer is None:
        raise checks.error(owner, "inner", rule, inner, 'For example: "adam".')
    if isinstance(optimizer, _OUTER_ONLY):
        kind = type(optimizer).__name__
        name = type(owner).__name__
        fix = f"Wrap the other way round: put {name} inside the {kind}."
        raise checks.error(owner, "inner", f"an optimizer other than {kind}", inner, fix)
    return optimizer
