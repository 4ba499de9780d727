"""The hook into an inner optimizer's step: the one exception to "public API only".

Keras has no public place between "gradients are unscaled and accumulated" and "gradients are
clipped", and that is the only place where a transform sees the gradient the update is made of:
`apply` is handed loss-scaled gradients of micro-batches. Nor has it one between the step and the
moving average that is made of it. So `GradientHook` stands in front of three private methods of
the innermost optimizer, by attributes of that one instance:

- `_clip_gradients(gradients)`: sum over replicas, then transforms (outermost wrapper first), then
  the optimizer's own clipping.
- `_all_reduce_sum_gradients(pairs)`, TensorFlow only: skipped, since the sum is done already.
  Summing first is what makes two replicas equal one device for anything that is not linear.
- `_backend_update_step(gradients, variables, learning_rate)`: the step, then what wrappers make
  of it (outermost wrapper last). Keras decays weights before it, and averages them after it.

All act only while a wrapper's `apply` runs, so an optimizer used without its wrapper is as it was.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras

from kcatalog.ops.replicas import sum_over_replicas
from kcatalog.optimizers.sparse import dense
from kcatalog.optimizers.wrappers.replicas import assign_each, copies

_running = threading.local()  # tf.distribute runs each replica's `apply` in a thread of its own


@dataclass(frozen=True)
class Run:
    """One call of a wrapper's `apply`: what it was given, and what is to be done with it.

    transform: `transform(gradients, variables)` precedes the optimizer's clipping; None for the
        sum over replicas alone.
    transform_update: `transform_update(before, after, gradient, variable)` replaces each weight
        after its step, or None.
    of_decay: whether `transform_update` is also asked about Keras's weight decay, which precedes
        the step.
    """

    transform: Callable | None
    transform_update: Callable | None
    of_decay: bool
    gradients: list
    variables: list

    def with_gradient(self) -> Any:
        """Return the variables whose gradients reach the clipping: Keras drops the others."""
        return [
            v
            for g, v in zip(self.gradients, self.variables, strict=True)
            if g is not None and not getattr(v, "overwrite_with_gradient", False)
        ]


class GradientHook:
    """Runs transforms at the places where `optimizer` clips gradients and makes its step."""

    def __init__(self, optimizer: keras.optimizers.Optimizer):
        self._optimizer = optimizer
        self._update = self._replace("_backend_update_step", self._update_then_transform)
        self._clip_gradients = self._replace("_clip_gradients", self._transform_then_clip)
        if keras.backend.backend() == "tensorflow":
            name = "_all_reduce_sum_gradients"
            self._all_reduce = self._replace(name, self._sum_unless_summed)

    @contextmanager
    def running(self, run: Any) -> Iterator[None]:
        """Let a `Run` act on the optimizer while this is open."""
        stack = _running.__dict__.setdefault("stack", [])
        stack.append((self, run))
        try:
            yield
        finally:
            stack.pop()

    def _replace(self, name, method):
        found = getattr(self._optimizer, name, None)
        if found is None:
            owner = type(self._optimizer).__name__
            raise RuntimeError(
                f"kcatalog's optimizer wrappers need {owner}.{name}, which Keras "
                f"{keras.__version__} does not have. Please report this to kcatalog."
            )
        setattr(self._optimizer, name, method)
        return found

    def _open(self):
        return [run for hook, run in getattr(_running, "stack", ()) if hook is self]

    def _transform_then_clip(self, gradients):
        runs = self._open()
        if runs:
            gradients = sum_over_replicas(list(gradients))
        for run in runs:
            if run.transform is not None:
                gradients = run.transform([dense(g) for g in gradients], run.with_gradient())
        if self._transforms_of_decay():
            _running.undecayed = copies(runs[0].with_gradient())
        return self._clip_gradients(gradients)

    def _transforms_of_decay(self):
        if self._optimizer.weight_decay is None:
            return []
        return self._transforms_of_updates(lambda run: run.of_decay)

    def _transforms_of_updates(self, which=lambda run: True):
        """Return them in the order in which they act: the outermost wrapper's last."""
        runs = [r for r in reversed(self._open()) if r.transform_update is not None]
        return [r.transform_update for r in runs if which(r)]

    def _update_then_transform(self, gradients, variables, learning_rate):
        transforms = self._transforms_of_decay()
        if transforms:
            _transform_each(transforms, variables, _running.undecayed, gradients)
            _running.undecayed = None
        transforms = self._transforms_of_updates()
        before = copies(variables) if transforms else None
        self._update(gradients, variables, learning_rate)
        if transforms:
            _transform_each(transforms, variables, before, gradients)

    def _sum_unless_summed(self, pairs):
        return list(pairs) if self._open() else self._all_reduce(pairs)


def _transform_each(transforms, variables, before, gradients):
    """Replace each variable by what the transforms, one after the other, make of its change."""

    def new_value(i, after, before, gradient):
        for transform in transforms:
            after = transform(before, after, gradient, variables[i])
        return after

    assign_each(variables, new_value, before, [dense(g) for g in gradients])
