from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper, Part
from kcatalog.ops.replicas import sum_over_replicas
from kcatalog.optimizers.sparse import dense
from kcatalog.optimizers.wrappers.delegate import Inner
from kcatalog.optimizers.wrappers.replicas import assign_where, either
from kcatalog.optimizers.wrappers.sharpness_aware import uphill
from kcatalog.optimizers.wrappers.wrapper import Wrapper
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Sharpness-Aware Minimization for Efficiently Improving Generalization",
        "Foret, Kleiner, Mobahi, Neyshabur",
        2021,
        "https://arxiv.org/abs/2010.01412",
        "algorithm 1, with a batch for each of its two gradients",
    ),
    equation="w ← w + ρ g / ‖g‖ at odd batches; back, and the inner optimizer's step, at even ones",
    tags=("wrapper",),
    space={"radius": Float(0.01, 0.5, log=True)},
    example=Example({"inner": Part("keras.optimizers.SGD", learning_rate=0.1), "radius": 0.1}),
)
class AlternatingSAM(Wrapper):
    """Sharpness-aware minimization by two batches: uphill on one, the step on the next.

    As cheap as its inner optimizer, and works in any training loop. It makes half as many steps in
    an epoch, and the point uphill is that of another batch, so it is a weaker `SAM`; with small
    batches hardly better than random directions. Use `SAM` where twice the time can be had.

    Maths:
        At batch 1, 3, 5, ...: `w ← w + e` with `e = ρ g / ‖g‖`, the norm over all weights
        together. At batch 2, 4, 6, ...: `w ← w - e`, then the inner optimizer's step by the
        gradient found uphill. `ρ` = `radius`.

    Args:
        radius: `ρ`, the distance to the point uphill, a number in (0, inf).

    Shapes:
        One slot per weight, of its shape: where it was before it moved uphill.

    Behaviour:
        After an odd number of batches the model holds the weights uphill: their validation loss
        and what is saved by then is a little worse. Use an even number of batches in an epoch.
        When training ends, `fit` puts the weights back, a custom loop does by
        `optimizer.finalize_variable_values(model.trainable_variables)`. A saved model goes on
        where it was. `iterations`, and with them schedules, count steps, not batches: make a
        schedule half as long. Constraints hold uphill too. Clipping, weight decay and moving
        averages are the inner optimizer's and see no weight that is uphill. With accumulation
        the micro-batches 2, 4, 6, ... are accumulated. optax (`contrib.sam`, `sync_period=2`) has
        no special case for a gradient of 0, which here moves nothing.

    Example:
        Up from 1 to 1.1 by the first batch, and down from 1 by 0.1 times the second's gradient:

        >>> import keras
        >>> w = keras.Variable([1.0])
        >>> optimizer = AlternatingSAM(keras.optimizers.SGD(0.1), radius=0.1)
        >>> for gradient in (4.0, 5.0):
        ...     optimizer.apply([keras.ops.array([gradient])], [w])
        ...     print(f"{keras.ops.convert_to_numpy(w.value)[0]:.2f}")
        1.10
        0.50
    """

    slots = {"origin": "weight"}
    batches_per_step = 2

    def __init__(self, inner: Inner, radius: float = 0.05, **kwargs: Any):
        super().__init__(inner, **kwargs)
        self.radius = checks.number(self, "radius", radius, "(0, inf)")

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        one = "only_first_replica"
        self._is_uphill = self.add_variable((), dtype="int", aggregation=one, name="is_uphill")

    def apply(
        self, grads: list[Tensor], trainable_variables: list[keras.Variable] | None = None
    ) -> None:
        grads, variables = self._checked(grads, trainable_variables)
        if all(g is None for g in grads):
            super().apply(grads, variables)  # no step, or Keras's error
            return
        grads = [None if g is None else dense(g) for g in grads]
        either(
            ops.equal(self._is_uphill, 0),
            lambda grads: self._go_uphill(grads, variables),
            lambda grads: self._step_from_origin(grads, variables),
            grads,
            [*self.variables, *self._trainable_variables],
        )

    def _go_uphill(self, grads, variables):
        pairs = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
        summed = sum_over_replicas([g for g, _ in pairs])
        by_key = {self._var_key(v): g for g, (_, v) in zip(summed, pairs, strict=True)}
        places = self._places(self._trainable_variables)
        weights = [self._trainable_variables[i] for i in places]
        given = [by_key.get(self._var_key(v)) for v in weights]
        new = uphill(given, weights, self.radius, lambda w: 1.0)
        everywhere = ops.ones(len(places), "bool")
        assign_where(everywhere, self._groups(places), lambda w, _, new: (new, w), new)
        self._is_uphill.assign(1)

    def _step_from_origin(self, grads, variables):
        self._go_back()
        super().apply(grads, variables)

    def _go_back(self):
        places = self._places(self._trainable_variables)
        was_uphill = ops.broadcast_to(ops.equal(self._is_uphill, 1), (len(places),))
        assign_where(was_uphill, self._groups(places), lambda w, origin: (origin, origin))
        self._is_uphill.assign(0)

    def finalize_variable_values(self, var_list: list[keras.Variable]) -> None:
        if self.built:
            self._go_back()
        super().finalize_variable_values(var_list)

    def restart(self) -> None:
        super().restart()
        if self.built:
            self._is_uphill.assign(0)
