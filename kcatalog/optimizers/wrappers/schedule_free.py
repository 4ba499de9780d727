from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper, Part
from kcatalog.optimizers.wrappers.delegate import Inner
from kcatalog.optimizers.wrappers.wrapper import Wrapper
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "The Road Less Scheduled",
        "Defazio, Yang, Mehta, Mishchenko, Khaled, Cutkosky",
        2024,
        "https://arxiv.org/abs/2405.15682",
        "equations 4 to 6 and algorithm 1",
    ),
    equation="z ← z + u(y),  x ← (1 - c) x + c z,  y ← (1 - β) z + β x",
    tags=("wrapper", "averages-weights"),
    space={"beta": Float(0.8, 0.98)},
    example=Example(
        {"inner": Part("keras.optimizers.SGD", learning_rate=0.1), "beta": 0.8, "r": 1.0}
    ),
    exemptions={
        "averages_weights": "`x` ends in the model, not the average of inner steps",
        "swaps_inner_average": "inner steps go from `y`; the model holds other weights",
    },
)
class ScheduleFree(Wrapper):
    """Schedule-free learning: averaging instead of a learning rate that decays.

    The inner optimizer steps with the gradient taken between its own iterates and their average.
    The average does what a decaying schedule would, at every length of training, so the length
    need not be known in advance. Use it with a constant learning rate, after a warm-up, and with
    an inner optimizer without momentum: `beta` takes its place. The best rate is often higher than
    with a schedule: for SGD up to ten times.

    Maths:
        With `u` the inner optimizer's step from the gradient at `y`: `z ← z + u`,
        `x ← (1 - c) x + c z` with `c = a / Σ a` and `a = t^r γ^p`, then `y ← (1 - β) z + β x`.
        All start as the weights. `γ` is the learning rate of step `t`, `β` = `beta` and
        `p` = `weight_lr_power`.

    Args:
        beta: `β`, how near the gradients are taken to the average, in [0, 1]. At 0 this is
            Polyak's averaging beside the inner optimizer, at 1 primal averaging.
        weight_lr_power: `p`, by which power of its learning rate a step weighs, in [0, inf). The
            small steps of a warm-up then weigh little. At 0, all weigh the same.
        r: By which power of its number a step weighs, in [0, inf). Above 0, the average
            forgets its beginning faster.

    Shapes:
        One slot per weight, `z - x`, of its shape, and one number, `Σ a`.

    Behaviour:
        In training the model holds `y`. Evaluate, save and export `x`: `fit` puts it into the
        model when it ends, a custom loop does with
        `optimizer.finalize_variable_values(model.trainable_variables)`, and
        `kcatalog.callbacks.SwapAveragedWeights` does for each validation. Training goes on from
        there as if it had not stopped, but for the first gradient, which is taken at `x`. Batch
        normalization's statistics are those of `y`: see `kcatalog.callbacks.ReestimateBatchNorm`.
        For a warm-up give the inner optimizer a schedule (`WarmUp(rate, steps)`). Momentum is not
        refused, but counts twice: leave `momentum` out, and set `beta_1=0.0` in Adam. Weight
        decay is the inner optimizer's, and acts at `y`, as in the paper. Differs from the authors'
        code, from optax and from pytorch_optimizer: `γ` is the step's own rate, as in the paper,
        not the largest one so far, so a rate that decays all the same weighs less. With gradient
        accumulation steps count updates. After weights were loaded into a model that has trained,
        `optimizer.restart()` begins a new average.

    Example:
        SGD moves `z` to 0.9, then 0.8, 0.7 and so on; the average of the first three:

        >>> import keras
        >>> w = keras.Variable([1.0])
        >>> optimizer = ScheduleFree(keras.optimizers.SGD(0.1))
        >>> for _ in range(3):
        ...     optimizer.apply([keras.ops.ones(1)], [w])
        >>> print(f"{keras.ops.convert_to_numpy(w.value)[0]:.2f}")
        0.79
        >>> optimizer.finalize_variable_values([w])
        >>> print(f"{keras.ops.convert_to_numpy(w.value)[0]:.2f}")
        0.80
    """

    slots = {"ahead": "zeros"}
    needs_before = True

    def __init__(
        self,
        inner: Inner,
        beta: float = 0.9,
        weight_lr_power: float = 2.0,
        r: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(inner, **kwargs)
        self.beta = checks.number(self, "beta", beta, "[0, 1]")
        self.weight_lr_power = checks.number(self, "weight_lr_power", weight_lr_power, "[0, inf)")
        self.r = checks.number(self, "r", r, "[0, inf)")

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        shape, one = (len(variables),), "only_first_replica"
        self._total = self.add_variable(
            shape, dtype=self._numbers_dtype(), aggregation=one, name="total"
        )
        self._holds_x = self.add_variable(shape, dtype="int", aggregation=one, name="holds_x")

    def numbers(self, step: Tensor, updated: Tensor, learning_rate: Tensor) -> dict[str, Tensor]:
        t, rate = (ops.cast(a, self._total.dtype) for a in (step, learning_rate))
        a = t**self.r * rate**self.weight_lr_power * ops.cast(updated, t.dtype)
        begins = ops.logical_and(updated, ops.equal(step, 1))
        before, holds_x = (ops.convert_to_tensor(v) for v in (self._total, self._holds_x))
        total = ops.where(begins, 0.0, before) + a
        was_at_x = ops.logical_and(ops.equal(holds_x, 1), ops.logical_not(begins))
        self._total.assign(total)
        self._holds_x.assign(ops.where(updated, 0, holds_x))
        c = a / ops.where(total > 0, total, 1.0)
        return {"keep": 1 - c, "back": ops.where(was_at_x, 1.0, self.beta + ops.zeros_like(c))}

    def after_update(self, weight, ahead, step, keep, back, before):
        keep, back = (ops.cast(a, weight.dtype) for a in (keep, back))
        new = keep * (ahead + (weight - before))  # z - x
        return weight + (back * ahead - self.beta * new), new

    def final_weight(self, weight, ahead, step):
        return weight - (1 - self.beta) * ahead

    def finalize_variable_values(self, var_list: list[keras.Variable]) -> None:
        super().finalize_variable_values(var_list)
        if self.built:
            put = np.isin(range(len(self._trainable_variables)), self._places(var_list))
            steps, holds_x = (ops.convert_to_tensor(v) for v in (self._steps, self._holds_x))
            put = ops.logical_and(put, steps > 0)
            self._holds_x.assign(ops.where(put, 1, holds_x))

    def _can_be_put(self, places):
        return ops.logical_and(
            super()._can_be_put(places),
            ops.equal(self._at(places, ops.convert_to_tensor(self._holds_x)), 0),
        )
