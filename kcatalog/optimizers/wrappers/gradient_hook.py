"""The hook into an inner optimizer's gradient: the one exception to "public API only".

Keras has no public place between "gradients are unscaled and accumulated" and "gradients are
clipped", and that is the only place where a transform sees the gradient the update is made of:
`apply` is handed loss-scaled gradients of micro-batches. So `GradientHook` stands in front of two
private methods of the innermost optimizer, by attributes of that one instance:

- `_clip_gradients(gradients)`: sum over replicas, then transforms (outermost wrapper first), then
  the optimizer's own clipping.
- `_all_reduce_sum_gradients(pairs)`, TensorFlow only: skipped, since the sum is done already.
  Summing first is what makes two replicas equal one device for anything that is not linear.

Both act only while a wrapper's `apply` runs, so an optimizer used without its wrapper is as it was.
"""

import threading
from contextlib import contextmanager

import keras

from kcatalog.ops.replicas import sum_over_replicas
from kcatalog.optimizers.wrappers.replicas import dense

_running = threading.local()  # tf.distribute runs each replica's `apply` in a thread of its own


class GradientHook:
    """Runs transforms at the place where `optimizer` clips its gradients."""

    def __init__(self, optimizer):
        self._optimizer = optimizer
        self._clip_gradients = self._replace("_clip_gradients", self._transform_then_clip)
        if keras.backend.backend() == "tensorflow":
            name = "_all_reduce_sum_gradients"
            self._all_reduce = self._replace(name, self._sum_unless_summed)

    @contextmanager
    def running(self, transform, gradients, variables):
        """While open, `transform(gradients, variables)` precedes the optimizer's clipping.

        With None for a transform only the sum over replicas does.
        """
        stack = _running.__dict__.setdefault("stack", [])
        stack.append((self, transform, gradients, variables))
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
        return [run[1:] for run in getattr(_running, "stack", ()) if run[0] is self]

    def _transform_then_clip(self, gradients):
        runs = self._open()
        if runs:
            gradients = sum_over_replicas(list(gradients))
        for transform, all_gradients, all_variables in runs:
            if transform is not None:
                variables = _with_gradient(all_gradients, all_variables)
                gradients = transform([dense(g) for g in gradients], variables)
        return self._clip_gradients(gradients)

    def _sum_unless_summed(self, pairs):
        return list(pairs) if self._open() else self._all_reduce(pairs)


def _with_gradient(gradients, variables):
    """Return the variables whose gradients reach the clipping: Keras drops the others before."""
    return [
        v
        for g, v in zip(gradients, variables, strict=True)
        if g is not None and not getattr(v, "overwrite_with_gradient", False)
    ]
