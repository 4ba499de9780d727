"""The base of optimizer wrappers: a few small hooks around any Keras optimizer."""

import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.optimizers.wrappers.delegate import Delegate
from kcatalog.optimizers.wrappers.gradient_hook import GradientHook
from kcatalog.optimizers.wrappers.replicas import assign_where


class Wrapper(Delegate):
    """Changes what an optimizer is given, or what it leaves behind.

    The learning rate, weight decay, clipping, moving average, gradient accumulation and loss
    scaling stay those of the wrapped optimizer, which is built, saved and loaded with the wrapper.
    A wrapper is itself an optimizer, so wrappers nest: the outer one acts first on the gradient
    and last on the weights.

    A subclass states any of these, and its own arguments:

    - `transform_gradients(gradients, variables)`: new gradients. It sees what the update is made
      of: unscaled, averaged over accumulated micro-batches, summed over replicas, not yet clipped.
      It assigns nothing.
    - `slots`: the variables kept beside each weight, as name -> what each holds before the
      weight's first update: "weight" (a copy of the weight) or "zeros".
    - `after_update(weight, *slots, step)`: new values of one weight and of its slots, whenever
      `due(step)`. `due` is asked for several weights at once: a tensor of steps in, as many
      answers out.
    - `final_weight(weight, *slots, step)`: what a weight becomes when training ends.

    `step` counts the weight's own updates by this wrapper: 1, 2, ... It begins anew when an
    optimizer that has already trained is wrapped, and after `restart`. Micro-batches that are only
    accumulated, steps that loss scaling skips, and calls of `apply` without the weight, or with no
    gradient for it, are no updates: they leave the weight and its slots as they are.

    Args:
        inner: The optimizer to wrap: an instance, a name such as `"adam"`, or a config.
        name: Name of the optimizer; None makes one up from the class.
    """

    slots = {}

    def __init__(self, inner, name=None, **kwargs):
        super().__init__(inner, name, **kwargs)
        inner = self.inner
        self._hook = inner._hook if isinstance(inner, Wrapper) else GradientHook(inner)
        self._slots, self._steps = [], None

    # --- what a subclass states ---------------------------------------------------------

    def transform_gradients(self, gradients, variables):
        return gradients

    def due(self, step):
        return True

    def after_update(self, weight, *slots, step):
        return weight, *slots

    def final_weight(self, weight, *slots, step):
        return weight

    # --- what a user calls --------------------------------------------------------------

    def restart(self):
        """Begin anew, before the next update, from the weights as they are then.

        Call it after weights were loaded or restored into a model that has trained, or slots that
        follow the weights (slow weights, averages) hold on to the earlier ones. Wrappers inside
        this one begin anew too. The optimizer inside keeps its moments and its iterations.
        """
        if self._steps is not None:
            self._steps.assign(ops.zeros_like(self._steps.value))
        if isinstance(self.inner, Wrapper):
            self.inner.restart()

    def load_own_variables(self, store):
        if self._steps is None or len(store.keys()) != len(self._variables) - 1:
            super().load_own_variables(store)
            return
        # a file of kcatalog 0.1, where all weights had as many updates as the optimizer inside,
        # which Keras loads next
        for i, variable in enumerate(v for v in self._variables if v is not self._steps):
            variable.assign(store[str(i)])
        inner = self.inner
        while isinstance(inner, Wrapper):
            inner = inner.inner
        load = inner.load_own_variables

        def load_and_count(store):
            load(store)
            self._steps.assign(ops.full(self._steps.shape, inner.iterations))
            vars(inner).pop("load_own_variables", None)

        inner.load_own_variables = load_and_count

    # --- a step -------------------------------------------------------------------------

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._slots = [self.add_optimizer_variables(variables, name) for name in self.slots]
        if self.slots or self._states("after_update") or self._states("final_weight"):
            shape, one = (len(variables),), "only_first_replica"
            self._steps = self.add_variable(shape, dtype="int", aggregation=one, name="steps")

    def apply(self, grads, trainable_variables=None):
        grads = list(grads)
        if not grads:
            return  # as in Keras: no step, and no variables to build on
        if not self.built:
            if trainable_variables is None:
                rule = "a list of variables until the optimizer is built"
                raise checks.error(self, "trainable_variables", rule, None, "Or call `build`.")
            self.build(trainable_variables := list(trainable_variables))
        given = self._trainable_variables if trainable_variables is None else trainable_variables
        variables = list(given)
        if len(grads) != len(variables):
            rule = f"a list of {len(variables)} gradients, one for each variable"
            raise checks.error(self, "grads", rule, f"{len(grads)} gradients")
        self._check_variables_are_known(variables)

        pairs = zip(grads, variables, strict=True)
        places = self._places([v for g, v in pairs if g is not None])
        before = ops.add(self.inner.iterations, 0)  # a copy: PyTorch counts in place
        self._start_slots(places)
        transform = self.transform_gradients if self._states("transform_gradients") else None
        with self._hook.running(transform, grads, variables):
            self.inner.apply(grads, variables)
        self._finish_update(places, ops.not_equal(self.inner.iterations, before))

    def _start_slots(self, places):
        """Fill the slots of weights before their first update.

        Not in `build`: weights may be loaded between the two.
        """

        def first(weight, *slots):
            kinds = self.slots.values()
            return weight, *(weight if k == "weight" else ops.zeros_like(weight) for k in kinds)

        if self.slots and places:
            assign_where(ops.equal(self._step_of(places), 0), self._groups(places), first)

    def _finish_update(self, places, is_update):
        """Count an update of the weights at these places, and do what is due after it."""
        if self._steps is None or not places:
            return
        counted = ops.logical_and(is_update, np.isin(range(len(self._trainable_variables)), places))
        self._steps.assign_add(ops.cast(counted, self._steps.dtype))
        if self._states("after_update"):
            step = self._step_of(places)
            due = ops.broadcast_to(ops.logical_and(is_update, self.due(step)), (len(places),))
            assign_where(due, self._groups(places), self._after_update, step)

    def _after_update(self, weight, *slots_and_step):
        *slots, step = slots_and_step
        return self.after_update(weight, *slots, step=step)

    def finalize_variable_values(self, var_list):
        super().finalize_variable_values(var_list)
        places = self._places(var_list)
        if self._states("final_weight") and places:
            step = self._step_of(places)
            assign_where(step > 0, self._groups(places), self._final_weight, step)

    def _final_weight(self, weight, *slots_and_step):
        *slots, step = slots_and_step
        return self.final_weight(weight, *slots, step=step), *slots

    def _states(self, hook):
        return getattr(type(self), hook) is not getattr(Wrapper, hook)

    def _places(self, variables):
        """Return the places of those of these weights that gradients update."""
        known, overwritten = (
            self._trainable_variables_indices,
            self._overwrite_variable_with_gradient,
        )
        ours = [v for v in variables if self._var_key(v) in known and not overwritten(v)]
        return [known[self._var_key(v)] for v in ours]

    def _step_of(self, places):
        return ops.take(self._steps, np.array(places, "int32"))

    def _groups(self, places):
        """Return the weight and its slots at each of these places."""
        return [[v[i] for v in (self._trainable_variables, *self._slots)] for i in places]
