from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Int, Paper, Part
from kcatalog.optimizers.wrappers.delegate import Inner
from kcatalog.optimizers.wrappers.wrapper import Wrapper
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Averaging Weights Leads to Wider Optima and Better Generalization",
        "Izmailov, Podoprikhin, Garipov, Vetrov, Wilson",
        2018,
        "https://arxiv.org/abs/1803.05407",
        "algorithm 1",
    ),
    equation="w_SWA = mean of w at steps s, s + c, s + 2c, ...",
    tags=("wrapper", "averages-weights"),
    space={"average_period": Int(1, 100, log=True)},
    example=Example(
        {"inner": Part("keras.optimizers.SGD", learning_rate=0.1), "start_step": 3}
        | {"average_period": 2}
    ),
)
class StochasticWeightAveraging(Wrapper):
    """Stochastic weight averaging (SWA): the model ends with the mean of its late weights.

    At a constant (or cyclical) and fairly high learning rate the weights keep circling a wide,
    flat region of low loss; their mean lies inside it and generalizes better than its rim. Start
    when the loss has levelled off, at about three quarters of the run. Averaging weights that are
    still travelling is worse than not averaging; an inner moving average (`use_ema`) forgets the
    early ones and is the better choice then.

    Maths:
        After update `t = s + n c` for `n = 0, 1, 2, ...`:
        `w_SWA ← w_SWA + (w - w_SWA) / (n + 1)`, with `s` = `start_step` and
        `c` = `average_period`; at the end `w ← w_SWA`.

    Args:
        start_step: `s`, the update after which the first weights are taken: an integer in
            [1, inf). There is no good default, since it depends on the length of the run.
        average_period: `c`, in updates: an integer in [1, inf). With a cyclical learning rate,
            the length of the cycle; otherwise often one epoch.

    Shapes:
        One average per weight, of the weight's shape.

    Behaviour:
        Training is the inner optimizer's; the average only watches. `fit` puts it into the model
        when it ends, a custom loop does with
        `optimizer.finalize_variable_values(model.trainable_variables)`; before `start_step`
        nothing is put in. `EarlyStopping(restore_best_weights=True)` then puts an epoch's weights
        back, without a word, as it does with Keras's `use_ema`: put it into
        `kcatalog.callbacks.SwapAveragedWeights`, which validates and checkpoints the average, or
        finalize again after `fit`. Batch normalization's statistics belong to the weights that
        were trained: give `fit` the callback `kcatalog.callbacks.ReestimateBatchNorm(x_train)`, or
        call `kcatalog.callbacks.reestimate_batch_norm(model, x_train)` after a custom loop. With
        gradient accumulation, steps count updates, not batches. Steps are counted from the
        wrapper's first update, for each weight by itself. After weights were loaded into a model
        that has trained, `optimizer.restart()` begins a new average.

    Example:
        Weights 0.9, 0.8, 0.7 after three steps; the mean of the last two:

        >>> import keras
        >>> w = keras.Variable([1.0])
        >>> inner = keras.optimizers.SGD(0.1)
        >>> optimizer = StochasticWeightAveraging(inner, start_step=2, average_period=1)
        >>> for _ in range(3):
        ...     optimizer.apply([keras.ops.ones(1)], [w])
        >>> optimizer.finalize_variable_values([w])
        >>> print(f"{keras.ops.convert_to_numpy(w.value)[0]:.2f}")
        0.75
    """

    slots = {"average": "zeros"}

    def __init__(self, inner: Inner, start_step: int, average_period: int = 10, **kwargs: Any):
        super().__init__(inner, **kwargs)
        self.start_step = checks.integer(self, "start_step", start_step, "[1, inf)")
        self.average_period = checks.integer(self, "average_period", average_period, "[1, inf)")

    def due(self, step: Tensor) -> Tensor:
        on_beat = ops.equal(ops.mod(step - self.start_step, self.average_period), 0)
        return ops.logical_and(step >= self.start_step, on_beat)

    def numbers(self, step: Tensor, updated: Tensor, learning_rate: Tensor) -> dict[str, Tensor]:
        n = ops.floor_divide(step - self.start_step, self.average_period)
        return {"share": 1 / ops.cast(n + 1, self._numbers_dtype())}

    def after_update(self, weight, average, step, share):
        return weight, average + ops.cast(share, weight.dtype) * (weight - average)

    def final_weight(self, weight, average, step):
        return ops.where(step >= self.start_step, average, weight)
