import functools
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Int, Paper, Part
from kcatalog.ops.norms import total
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.replicas import replica_context, sum_over_replicas
from kcatalog.optimizers.sparse import dense
from kcatalog.optimizers.wrappers.delegate import Inner
from kcatalog.optimizers.wrappers.replicas import assign_each, copies, either, known
from kcatalog.optimizers.wrappers.wrapper import Wrapper
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Mixed Precision Training",
        "Micikevicius, Narang, Alben, Diamos, Elsen, Garcia, Ginsburg, Houston, Kuchaiev et al.",
        2018,
        "https://arxiv.org/abs/1710.03740",
        "section 3.2: skip the update when an overflow is detected",
    ),
    equation="no update if a gradient has a NaN or an infinity",
    tags=("wrapper",),
    space={"limit": Int(1, 100, log=True)},
    example=Example({"inner": Part("keras.optimizers.SGD", learning_rate=0.1), "limit": 3}),
)
class SkipNonFinite(Wrapper):
    """Guard against NaN and infinity: steps with such gradients are skipped and counted.

    One bad sample, or one overflow, would turn the weights and the moments to NaN for good. With
    this wrapper the step is as if its batch had never been. For long runs on data that nobody has
    seen whole. It does not repair a run that diverges: after `limit` bad steps in a row training
    stops.

    Maths:
        `(w, m, t) ← (w, m, t)` if any entry of any gradient is NaN or infinite, else the inner
        optimizer's step; `m` is all of its state, `t` its count of steps.

    Args:
        limit: How many steps in a row may be skipped, an integer in [1, inf), until training
            stops.

    Shapes:
        Two counters.

    Behaviour:
        Looks at the gradients that `apply` is given, on all replicas. With gradient accumulation a
        bad micro-batch is left out, and another takes its place. `skipped` counts all skipped
        steps, `skipped_in_a_row` those since the last good one; both are saved. When the latter
        reaches `limit`, `apply` raises a `FloatingPointError` where it runs eagerly. A compiled
        step cannot raise: it goes on skipping, so the weights stay the last good ones, and
        `check()` raises; the callback `StopWhenSkipping` calls it after each epoch or every so
        many steps. It differs from `optax.apply_if_finite`, which takes the bad step at the limit.
        Put it inside of `keras.optimizers.LossScaleOptimizer`, which skips by itself what its
        scale made overflow; around it, the scale would never be lowered, so that is refused.

    Example:
        The second of three steps is no number:

        >>> import keras
        >>> w = keras.Variable([1.0])
        >>> optimizer = SkipNonFinite(keras.optimizers.SGD(0.1))
        >>> for g in (1.0, float("nan"), 1.0):
        ...     optimizer.apply([keras.ops.array([g])], [w])
        >>> print(f"{keras.ops.convert_to_numpy(w.value)[0]:.1f}", int(optimizer.skipped))
        0.8 1
    """

    def __init__(self, inner: Inner, limit: int = 5, **kwargs: Any):
        super().__init__(inner, **kwargs)
        self.limit = checks.integer(self, "limit", limit, "[1, inf)")
        self._counters = []

    @property
    def skipped(self) -> Any:
        """The number of skipped steps, a variable; 0 until the optimizer is built."""
        return self._counters[0] if self._counters else 0

    @property
    def skipped_in_a_row(self) -> Any:
        """The number of steps skipped since the last that was not."""
        return self._counters[1] if self._counters else 0

    def check(self) -> None:
        """Raise if `limit` steps in a row were skipped.

        Raises:
            FloatingPointError: the last `limit` steps had gradients that are not finite.
        """
        in_a_row = int(ops.convert_to_numpy(self.skipped_in_a_row))
        if in_a_row >= self.limit:
            raise FloatingPointError(
                f"{type(self).__name__}: the gradients of {in_a_row} steps in a row hold a NaN or "
                "an infinity; the weights are those of the last good step. Lower the learning "
                "rate, clip gradients, or look for bad samples."
            )

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        settings = {"dtype": "int", "aggregation": "only_first_replica"}
        names = ("skipped", "skipped_in_a_row")
        self._counters = [self.add_variable((), name=name, **settings) for name in names]

    def apply_inner(self, grads: list[Tensor], variables: list[keras.Variable]) -> None:
        bad = _any_non_finite([dense(g) for g in grads if g is not None])
        bad = sum_over_replicas(ops.cast(bad, self.skipped.dtype)) > 0
        if replica_context() is not None:
            # assignments cannot stand inside of a condition here
            state = [*self._trainable_variables, *self.inner.variables]
            before = copies(state)
            self.inner.apply(grads, variables)
            self._restore_where(bad, state, before)
        else:
            state = [*self.inner.variables, *self._trainable_variables]
            step = functools.partial(self.inner.apply, trainable_variables=variables)
            either(bad, lambda grads: None, step, grads, state)
        skipped, in_a_row = self._counters
        skipped.assign(skipped + ops.cast(bad, skipped.dtype))
        in_a_row.assign(ops.where(bad, in_a_row + 1, 0))
        if known(bad):
            self.check()

    def _restore_where(self, bad, state, before):
        def restored(i, after, before, bad):
            return ops.where(bad, before, after)

        assign_each(state, restored, before, [bad] * len(state))


def _any_non_finite(tensors):
    """Return whether an entry is NaN or infinite.

    A sum that is finite has finite terms, and costs one reading. Finite terms may add up to
    infinity, too: only then each entry is looked at.
    """
    if not tensors:
        return ops.convert_to_tensor(False)

    def found():
        return ops.any(ops.stack([ops.any(ops.logical_not(ops.isfinite(t))) for t in tensors]))

    sums = [ops.cast(total(at_least_float32(t)), "float32") for t in tensors]
    finite = ops.isfinite(ops.sum(ops.stack(sums)))
    return ops.cond(finite, lambda: ops.convert_to_tensor(False), found)
