"""The base of optimizer wrappers: a few small hooks around any Keras optimizer."""

import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog.optimizers.optimizer import Optimizer
from kcatalog.optimizers.wrappers.delegate import Delegate, Inner
from kcatalog.optimizers.wrappers.gradient_hook import GradientHook, Run
from kcatalog.optimizers.wrappers.replicas import assign_where, copies
from kcatalog.types import Tensor


class Wrapper(Delegate):
    """Changes what an optimizer is given, or what it leaves behind.

    The learning rate, weight decay, clipping, moving average, gradient accumulation and loss
    scaling stay those of the wrapped optimizer, which is built, saved and loaded with the wrapper.
    A wrapper is itself an optimizer, so wrappers nest: the outer one acts first on the gradient
    and last on the step and on the weights.

    A subclass states any of these, and its own arguments:

    - `transform_gradients(gradients, variables)`: new gradients. It sees what the update is made
      of: unscaled, averaged over accumulated micro-batches, summed over replicas, not yet clipped.
      It assigns nothing.
    - `transform_update(before, after, gradient, variable)`: what a weight becomes instead of
      `after`, which the inner optimizer's step made of `before`, with the gradient that the step
      was made of (clipped). Weight decay of the inner optimizer comes before it, the inner moving
      average after it. With `transforms_decay = True` it is asked about the decay's change, too,
      before the step is made.
    - `apply_inner(grads, variables)`: calls `self.inner.apply` with what `apply` was given, or not.
    - `slots`: the variables kept beside each weight, as name -> what each holds before the
      weight's first update: "weight" (a copy of the weight) or "zeros".
    - `after_update(weight, *slots, step)`: new values of one weight and of its slots, whenever
      `due(step)`. `due` is asked for several weights at once: a tensor of steps in, as many
      answers out.
    - `numbers(step, updated, learning_rate)`: what `after_update` takes by name besides: vectors
      with an entry for each weight, computed for all of them at once after each step. `updated`
      tells which weights the step updates. It may assign variables of its own.
    - `needs_before = True`: `after_update` also takes `before`, the weight before the inner
      optimizer's step, and `final_weight` takes the weight that training left.
    - `proximal_step(weight, variable, learning_rate)`: the new value of one weight after each
      update, which was made with this learning rate. It returns `weight` itself to leave it alone.
    - `final_weight(weight, *slots, step)`: what a weight becomes when training ends.
    - `averaged_weight(weight, *slots, step)`: what evaluation should see during training, where
      that is not `final_weight`.

    `step` counts the weight's own updates by this wrapper: 1, 2, ... It begins anew when an
    optimizer that has already trained is wrapped, and after `restart`. Micro-batches that are only
    accumulated, steps that loss scaling skips, and calls of `apply` without the weight, or with no
    gradient for it, are no updates: they leave the weight and its slots as they are.

    Args:
        inner: The optimizer to wrap: an instance, a name such as `"adam"`, or a config.
        name: Name of the optimizer; None makes one up from the class.
    """

    slots = {}
    counts_updates = False  # also without slots
    transforms_decay = False
    needs_before = False
    batches_per_step = 1  # a wrapper that steps at every second call of `apply` says 2

    def __init__(self, inner: Inner, name: str | None = None, **kwargs: Any):
        super().__init__(inner, name, **kwargs)
        inner = self.inner
        self._hook = inner._hook if isinstance(inner, Wrapper) else GradientHook(inner)
        self._slots, self._steps = [], None

    # --- what a subclass states ---------------------------------------------------------

    def transform_gradients(
        self, gradients: list[Tensor], variables: list[keras.Variable]
    ) -> list[Tensor]:
        return gradients

    def transform_update(
        self, before: Tensor, after: Tensor, gradient: Tensor, variable: keras.Variable
    ) -> Tensor:
        return after

    def apply_inner(self, grads: list[Tensor], variables: list[keras.Variable]) -> None:
        self.inner.apply(grads, variables)

    def due(self, step: Tensor) -> Any:
        return True

    def numbers(self, step: Tensor, updated: Tensor, learning_rate: Tensor) -> dict[str, Tensor]:
        return {}

    def after_update(self, weight, *slots, step):
        return weight, *slots

    def proximal_step(
        self, weight: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> Tensor:
        return weight

    def final_weight(self, weight, *slots, step):
        return weight

    def averaged_weight(self, weight, *slots, step):
        return self.final_weight(weight, *slots, step=step)

    # --- what a user calls --------------------------------------------------------------

    def restart(self) -> None:
        """Begin anew, before the next update, from the weights as they are then.

        Call it after weights were loaded or restored into a model that has trained, or slots that
        follow the weights (slow weights, averages) hold on to the earlier ones. Wrappers inside
        this one begin anew too. The optimizer inside keeps its moments and its iterations.
        """
        if self._steps is not None:
            self._steps.assign(ops.zeros_like(self._steps.value))
            for kind, slot in zip(self.slots.values(), self._slots, strict=True):
                for v in slot if kind != "weight" else ():
                    if v is not None:  # of a weight that gradients overwrite
                        v.assign(ops.zeros_like(v.value))
        if isinstance(self.inner, Wrapper):
            self.inner.restart()

    def put_averages(self, var_list: list[keras.Variable]) -> None:
        """Assign to these weights what evaluation should see: averages, slow weights.

        Nothing else changes, but the weights of training are gone unless the caller keeps them.
        `kcatalog.callbacks.SwapAveragedWeights` does, and puts them back.
        """
        inside = self.inner
        nested = isinstance(inside, Wrapper)
        self._inside(inside.put_averages if nested else inside.finalize_variable_values, var_list)
        stated = self._states("averaged_weight") or self._states("final_weight")
        self._put(self.averaged_weight if stated else None, var_list)

    def load_own_variables(self, store: dict[str, Any]) -> None:
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

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self._slots = [self.add_optimizer_variables(variables, name) for name in self.slots]
        counting = self._states("after_update") or self._states("final_weight")
        if self.counts_updates or self.slots or counting:
            shape, one = (len(variables),), "only_first_replica"
            self._steps = self.add_variable(shape, dtype="int", aggregation=one, name="steps")

    def apply(
        self, grads: list[Tensor], trainable_variables: list[keras.Variable] | None = None
    ) -> None:
        grads, variables = self._checked(grads, trainable_variables)
        if not grads:
            return  # as in Keras: no step, and no variables to build on
        pairs = zip(grads, variables, strict=True)
        places = self._places([v for g, v in pairs if g is not None])
        before = ops.add(self.inner.iterations, 0)  # a copy: PyTorch counts in place
        rate = ops.add(self.learning_rate, 0.0)  # a schedule moves on with the iterations
        self._start_slots(places)
        remembered = [copies([self._trainable_variables[i] for i in places])] * self.needs_before
        hooks = ("transform_gradients", "transform_update")
        transforms = [getattr(self, hook) if self._states(hook) else None for hook in hooks]
        with self._hook.running(Run(*transforms, self.transforms_decay, grads, variables)):
            self.apply_inner(grads, variables)
        is_update = self._always_updates() or ops.not_equal(self.inner.iterations, before)
        self._finish_update(places, is_update, rate, *remembered)
        if self._states("proximal_step") and places:
            self._step_proximally(places, is_update, rate)

    def _always_updates(self):
        """Return whether it is certain that every call of `apply` is an update."""
        within = self
        while isinstance(within, Wrapper):
            cls = type(within)
            may_wait = within is not self and cls.apply is not Wrapper.apply
            if may_wait or cls.apply_inner is not Wrapper.apply_inner:
                return False
            within = within.inner
        counts = type(within).apply in (keras.optimizers.Optimizer.apply, Optimizer.apply)
        return counts and not within.gradient_accumulation_steps

    def _start_slots(self, places):
        """Copy weights before their first update into the slots that begin as they are.

        Not in `build`: weights may be loaded between the two.
        """

        def first(weight, *slots):
            kinds = zip(self.slots.values(), slots, strict=True)
            return weight, *(weight if kind == "weight" else slot for kind, slot in kinds)

        if "weight" in self.slots.values() and places:
            assign_where(ops.equal(self._step_of(places), 0), self._groups(places), first)

    def _finish_update(self, places, is_update, rate, *remembered):
        """Count an update of the weights at these places, and do what is due after it."""
        if self._steps is None or not places:
            return
        here = np.isin(range(len(self._trainable_variables)), places)
        updated = ops.logical_and(is_update, here)
        self._steps.assign_add(ops.cast(updated, self._steps.dtype))
        if self._states("after_update"):
            step = self._step_of(places)
            numbers = self.numbers(ops.add(self._steps, 0), updated, rate)
            due = self._due(places, is_update, self.due(step) if self._states("due") else True)
            equation = functools.partial(self._after_update, tuple(numbers))
            vectors = [self._at(places, v) for v in numbers.values()]
            assign_where(due, self._groups(places), equation, step, *vectors, *remembered)

    def _due(self, places, is_update, due=True):
        """Return a vector that tells which of these weights are due, or None if all are."""
        if is_update is True and due is True:
            return None
        return ops.broadcast_to(ops.logical_and(is_update, due), (len(places),))

    def _step_proximally(self, places, is_update, rate):
        variables = [self._trainable_variables[i] for i in places]
        equations = [lambda w, rate, v=v: [self.proximal_step(w, v, rate)] for v in variables]
        due, rate = self._due(places, is_update), ops.broadcast_to(rate, (len(places),))
        assign_where(due, [[v] for v in variables], equations, rate)

    def _after_update(self, names, weight, *others):
        slots, (step, *others) = others[: len(self.slots)], others[len(self.slots) :]
        names = (*names, "before")[: len(others)]
        return self.after_update(weight, *slots, step=step, **dict(zip(names, others, strict=True)))

    def finalize_variable_values(self, var_list: list[keras.Variable]) -> None:
        self._inside(super().finalize_variable_values, var_list)
        self._put(self.final_weight if self._states("final_weight") else None, var_list)

    def _inside(self, put, var_list):
        """Let the optimizer inside put its averages; `needs_before` takes back what was there."""
        before = copies(var_list) if self.needs_before else None
        put(var_list)
        for v, w in zip(var_list, before or (), strict=before is not None):
            v.assign(w)

    def _put(self, equation, var_list):
        """Assign `equation(weight, *slots, step)` to each of these weights that has stepped."""
        places = self._places(var_list) if equation and self.built else []
        if places:

            def weight_alone(weight, *slots_and_step):
                *slots, step = slots_and_step
                return equation(weight, *slots, step=step), *slots

            step = self._step_of(places)
            assign_where(self._can_be_put(places), self._groups(places), weight_alone, step)

    def _can_be_put(self, places):
        return self._step_of(places) > 0

    def _states(self, hook):
        return getattr(type(self), hook) is not getattr(Wrapper, hook)

    def _places(self, variables):
        """Return the places of those of these weights that gradients update."""
        known, skip = self._trainable_variables_indices, self._overwrite_variable_with_gradient
        keys = [self._var_key(v) for v in variables if not skip(v)]
        return [known[key] for key in keys if key in known]

    def _step_of(self, places):
        return self._at(places, ops.add(self._steps, 0))

    def _numbers_dtype(self):
        """Return the dtype for numbers of weights: the finest of the weights', at least float32."""
        dtypes = {keras.backend.standardize_dtype(v.dtype) for v in self._trainable_variables}
        return "float64" if "float64" in dtypes else "float32"

    def _at(self, places, vector):
        """Return the entries of a vector, which has one for each weight, at these places."""
        if places == list(range(len(self._trainable_variables))):
            return vector
        return ops.take(vector, np.array(places, "int32"))

    def _groups(self, places):
        """Return the weight and its slots at each of these places."""
        return [[v[i] for v in (self._trainable_variables, *self._slots)] for i in places]
