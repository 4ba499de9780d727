from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper, Part
from kcatalog.optimizers.wrappers.delegate import Inner
from kcatalog.optimizers.wrappers.wrapper import Wrapper
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Acceleration of Stochastic Approximation by Averaging",
        "Polyak, Juditsky",
        1992,
        "https://doi.org/10.1137/0330046",
        "as a moving average with a start and a growing decay, after TensorFlow Addons",
    ),
    tags=("wrapper", "averages-weights"),
    space={"average_decay": Float(0.9, 0.9999, log=True)},
    example=Example(
        {"inner": Part("keras.optimizers.SGD", learning_rate=0.1), "average_decay": 0.9}
        | {"start_step": 2, "dynamic_decay": True}
    ),
    exemptions={"averages_weights": "its own average ends in the model, not Keras's"},
)
class MovingAverage(Wrapper):
    """Moving average of the weights that starts late or warms up, beside the model.

    Keras's `use_ema` gives the first weights the full decay and puts its average into the model
    every `ema_overwrite_frequency` steps. This one begins after a burn-in (`start_step`) or lets
    its memory grow with the run (`dynamic_decay`), so that it does not hold the random start, and
    leaves training alone. Without either, `use_ema` does the same at less cost.

    Maths:
        `a ← d a + (1 - d) w` after update `t = 0, 1, ...`, where `d = 0` for `t < s`, then
        `d = average_decay`, or `d = min(average_decay, (1 + k) / (10 + k))` with `k = t - s` if
        `dynamic_decay`; `s` = `start_step`. At the end `w ← a`.

    Args:
        average_decay: The share of the average that a step keeps, in [0, 1).
        start_step: `s`, the update that the average begins with, in [0, inf); it holds the latest
            weights until then.
        dynamic_decay: Let the decay grow from 0.1: True or False.

    Shapes:
        One average per weight, of the weight's shape.

    Behaviour:
        `fit` puts the average into the model when it ends, a custom loop does with
        `optimizer.finalize_variable_values(model.trainable_variables)`. `averages` holds it all
        the while, in the order of the weights: assigned to another network's weights it is the
        soft update of a target network, `τ = 1 - average_decay`. The average starts as the weights
        before the first update. Each weight counts its own updates, accumulated micro-batches are
        none. The statistics of batch normalization are not averaged. `restart` begins anew.

    Example:
        Weights 0.9 and 0.8, averaged from 1 by halves:

        >>> import keras
        >>> w = keras.Variable([1.0])
        >>> optimizer = MovingAverage(keras.optimizers.SGD(0.1), average_decay=0.5)
        >>> for _ in range(2):
        ...     optimizer.apply([keras.ops.ones(1)], [w])
        >>> print(f"{float(keras.ops.convert_to_numpy(optimizer.averages[0])[0]):.3f}")
        0.875
    """

    slots = {"average": "weight"}

    def __init__(
        self,
        inner: Inner,
        average_decay: float = 0.99,
        start_step: int = 0,
        dynamic_decay: bool = False,
        **kwargs: Any,
    ):
        super().__init__(inner, **kwargs)
        self.average_decay = checks.number(self, "average_decay", average_decay, "[0, 1)")
        self.start_step = checks.integer(self, "start_step", start_step, "[0, inf)")
        self.dynamic_decay = checks.boolean(self, "dynamic_decay", dynamic_decay)

    @property
    def averages(self) -> list[Tensor]:
        """The average of each weight, in the order of the weights that `build` was given."""
        return [average for (average,) in zip(*self._slots, strict=True)]

    def numbers(self, step: Tensor, updated: Tensor, learning_rate: Tensor) -> dict[str, Tensor]:
        k = ops.cast(
            step - 1 - self.start_step, self._numbers_dtype()
        )  # here the first update is 1
        new = ops.full_like(k, 1 - self.average_decay)  # 1 - d
        if self.dynamic_decay:
            new = ops.maximum(new, 9 / (10 + ops.maximum(k, 0)))
        return {"new": ops.where(k < 0, 1.0, new)}

    def after_update(self, weight, average, step, new):
        return weight, average + ops.cast(new, weight.dtype) * (weight - average)

    def final_weight(self, weight, average, step):
        return average
