import re
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper, Part
from kcatalog.optimizers.wrappers.delegate import Inner
from kcatalog.optimizers.wrappers.wrapper import Wrapper
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Decoupled Weight Decay Regularization",
        "Loshchilov, Hutter",
        2019,
        "https://arxiv.org/abs/1711.05101",
        "algorithms 1 and 2",
    ),
    tags=("wrapper",),
    space={"decay": Float(1e-6, 1e-2, log=True)},
    example=Example({"inner": Part("keras.optimizers.SGD", learning_rate=0.1), "decay": 2e-4}),
    exemptions={
        "learning_rate_rules": "it decays weights at learning rate 0, too: that is what it is for",
        "untouched_rows_stay": "a decayed table decays in all its rows",
    },
)
class DecoupledWeightDecay(Wrapper):
    """Weight decay that is decoupled from the gradient and from the learning rate.

    Keras's `weight_decay` is multiplied by the learning rate, so a schedule, or a search for the
    rate, changes the regularization along. Here the share stays what it is. With it around SGD
    with momentum or Adam, the SGDW and AdamW of the paper and of TensorFlow Addons move to Keras 3
    as they were. If the rate decays to zero, let the decay follow it by a schedule.

    Maths:
        `w ← (1 - λ_t) w - u` with `λ` = `decay` and `u` the inner optimizer's step.

    Args:
        decay: `λ`, the share of a weight that each step takes off, in [0, 1], or a Keras schedule
            of it.
        exclude: Regular expressions: a weight is left alone if one is found in its path, such as
            `["bias", "gamma", "beta"]`. None for none.

    Shapes:
        Weights keep their shapes.

    Behaviour:
        The gradient is the one before the decay, as in the paper. The inner moving average sees
        the decayed weights. With gradient accumulation a weight decays once per update. A schedule
        counts what the inner optimizer's `iterations` count: with accumulation, micro-batches. A
        table decays in all its rows, where TensorFlow Addons decays those that are looked up. An
        inner optimizer that uses the weights (`Lamb`) sees them before the decay.

    Example:
        A step of 0.1, and a hundredth of the weight:

        >>> import keras
        >>> w = keras.Variable([1.0])
        >>> optimizer = DecoupledWeightDecay(keras.optimizers.SGD(0.1), decay=0.01)
        >>> optimizer.apply([keras.ops.ones(1)], [w])
        >>> print(f"{keras.ops.convert_to_numpy(w.value)[0]:.2f}")
        0.89
    """

    def __init__(
        self, inner: Inner, decay: float = 1e-4, exclude: Sequence[str] | None = None, **kwargs: Any
    ):
        super().__init__(inner, **kwargs)
        if not isinstance(decay, keras.optimizers.schedules.LearningRateSchedule):
            checks.number(self, "decay", decay, "[0, 1]")
        self.decay = decay
        self.exclude = exclude if exclude is None else checks.names(self, "exclude", exclude)

    def transform_update(
        self, before: Tensor, after: Tensor, gradient: Tensor, variable: keras.Variable
    ) -> Tensor:
        path = getattr(variable, "path", variable.name)
        if any(re.search(pattern, path) for pattern in self.exclude or ()):
            return after
        λ = self.decay
        if callable(λ):
            λ = ops.cast(λ(self.iterations), before.dtype)
        return after - λ * before
