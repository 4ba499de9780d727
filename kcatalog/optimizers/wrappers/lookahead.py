from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Int, Paper, Part
from kcatalog.optimizers.wrappers.delegate import Inner
from kcatalog.optimizers.wrappers.wrapper import Wrapper
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Lookahead Optimizer: k steps forward, 1 step back",
        "Zhang, Lucas, Hinton, Ba",
        2019,
        "https://arxiv.org/abs/1907.08610",
        "algorithm 1",
    ),
    equation="every k steps:  φ ← φ + α (θ - φ),  θ ← φ",
    tags=("wrapper", "averages-weights"),
    space={"sync_period": Int(5, 20), "slow_step_size": Float(0.2, 0.8)},
    example=Example({"inner": Part("keras.optimizers.SGD", learning_rate=0.1), "sync_period": 3}),
)
class Lookahead(Wrapper):
    """Lookahead: slow weights that follow the inner optimizer's fast weights.

    The inner optimizer walks `sync_period` steps; then the slow weights go a part of the way to
    where it arrived, and it walks on from there. This damps oscillation, so it forgives a
    learning rate that is too high, and costs one copy of the weights. It gains little where the
    inner optimizer is averaged or decayed to a small step anyway.

    Maths:
        After every `k`-th update of the fast weights `θ`: `φ ← φ + α (θ - φ)`, then `θ ← φ`,
        with `k` = `sync_period` and `α` = `slow_step_size`. The slow weights `φ` start as the
        weights that the first update starts from.

    Args:
        inner: The optimizer of the fast weights: an instance, a name such as `"adam"`, or a
            config.
        sync_period: `k`, in updates: an integer in [1, inf).
        slow_step_size: `α`, the part of the way that the slow weights go, in (0, 1]. At 1 this
            is the inner optimizer alone.

    Shapes:
        One slow weight per weight, of the weight's shape.

    Behaviour:
        The model holds the fast weights: between two synchronizations these are ahead of the
        slow ones. `kcatalog.callbacks.SwapAveragedWeights` evaluates the slow ones; stop at a
        multiple of `sync_period` if it matters which the model ends with. The inner
        optimizer's momentum is kept across a synchronization (the paper's default). The inner
        moving average, if any, takes the fast weights before they are pulled back. Weight
        constraints hold after a synchronization too. With gradient accumulation `sync_period`
        counts updates, not batches. A weight's updates are counted by itself, from its first with
        this wrapper: a frozen layer stays where it is. After weights were loaded or restored into
        a model that has trained, call `optimizer.restart()`, or the next synchronization pulls
        them towards the earlier slow weights. Learning rate, weight decay and clipping are the
        inner optimizer's.

    Example:
        Two steps of 0.1 down from 1, and half of the way back:

        >>> import keras
        >>> w = keras.Variable([1.0])
        >>> optimizer = Lookahead(keras.optimizers.SGD(0.1), sync_period=2)
        >>> for _ in range(2):
        ...     optimizer.apply([keras.ops.ones(1)], [w])
        >>> print(f"{keras.ops.convert_to_numpy(w.value)[0]:.2f}")
        0.90
    """

    slots = {"slow": "weight"}

    def __init__(
        self, inner: Inner, sync_period: int = 6, slow_step_size: float = 0.5, **kwargs: Any
    ):
        super().__init__(inner, **kwargs)
        self.sync_period = checks.integer(self, "sync_period", sync_period, "[1, inf)")
        self.slow_step_size = checks.number(self, "slow_step_size", slow_step_size, "(0, 1]")

    def due(self, step: Tensor) -> Tensor:
        return ops.equal(ops.mod(step, self.sync_period), 0)

    def after_update(self, fast, slow, step):
        slow = slow + self.slow_step_size * (fast - slow)
        return slow, slow

    def averaged_weight(self, fast, slow, step):
        return slow
