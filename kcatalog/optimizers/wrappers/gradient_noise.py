import math
import random
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper, Part
from kcatalog.ops.precision import at_least_float32
from kcatalog.optimizers.wrappers.delegate import Inner
from kcatalog.optimizers.wrappers.wrapper import Wrapper
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Adding Gradient Noise Improves Learning for Very Deep Networks",
        "Neelakantan, Vilnis, Le, Sutskever, Kaiser, Kurach, Martens",
        2015,
        "https://arxiv.org/abs/1511.06807",
        "section 3, equation 1",
    ),
    tags=("wrapper", "transforms-gradients"),
    space={"eta": Float(0.01, 1.0, log=True)},
    example=Example(
        {"inner": Part("keras.optimizers.SGD", learning_rate=0.1), "eta": 0.1, "seed": 1}
    ),
    exemptions={
        "untouched_rows_stay": "the noise moves all rows of a table",
        "steps_of_each_weight": "each weight's noise is drawn by its place among the others",
    },
)
class GradientNoise(Wrapper):
    """Gradient noise: Gaussian noise that fades out in the course of training.

    Noise on the gradient carries training out of poor starts and flat stretches. For deep networks
    that are hard to optimize (programs, memories, very deep stacks of layers) and start badly.
    Networks with normalization and residual connections gain little. It costs a random number per
    weight and step, which is about as much as the step of Adam.

    Maths:
        `g ← g + n` with `n ~ N(0, σ_t²)`, `σ_t² = η / (1 + t)^γ` and `t = 0, 1, ...` the weight's
        updates so far, with `η` = `eta` and `γ` = `gamma`.

    Args:
        eta: `η`, the variance of the first step's noise, in (0, inf). The paper tries 0.01, 0.3
            and 1.
        gamma: `γ`, how fast the variance falls, in [0, inf). At 0 it stays.
        seed: Seed of the noise, an integer in [0, inf), or None.

    Shapes:
        Gradients keep their shapes.

    Behaviour:
        Acts on the gradient after accumulation and the sum over replicas, and before the inner
        optimizer's clipping: one draw per update, the same on all replicas. A draw depends on the
        seed, the weight's place and its count of updates alone. The seed is saved with the
        optimizer's state, so a resumed run goes on with the draws that the whole run would have
        made, also if `seed` is None. Noise is computed in float32, up to
        5.3 deviations, by a hash of these numbers: the same on all backends, compiled or not.

    Example:
        Of ten thousand gradients of 0, `η = 4` makes steps of deviation 2:

        >>> import keras
        >>> w = keras.Variable(keras.ops.zeros(10_000))
        >>> optimizer = GradientNoise(keras.optimizers.SGD(1.0), eta=4.0, seed=0)
        >>> optimizer.apply([keras.ops.zeros(10_000)], [w])
        >>> print(f"{float(keras.ops.std(w.value)):.1f}")
        2.0
    """

    counts_updates = True

    def __init__(
        self,
        inner: Inner,
        eta: float = 0.3,
        gamma: float = 0.55,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(inner, **kwargs)
        self.eta = checks.number(self, "eta", eta, "(0, inf)")
        self.gamma = checks.number(self, "gamma", gamma, "[0, inf)")
        self.seed = checks.integer(self, "seed", seed, "[0, inf)", optional=True)

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        seed = random.randint(1, 10**9) if self.seed is None else self.seed  # noqa: S311
        start, one = keras.initializers.Constant(seed % 2**31), "only_first_replica"
        self._seed = self.add_variable((), start, "int", aggregation=one, name="seed")

    def transform_gradients(
        self, gradients: list[Tensor], variables: list[keras.Variable]
    ) -> list[Tensor]:
        places = self._places(variables)
        t = self._step_of(places)
        σ = self.eta**0.5 * ops.power(1.0 + ops.cast(t, "float32"), -self.gamma / 2)
        draws = t * len(self._trainable_variables) + ops.cast(places, t.dtype)
        keys = _scrambled(
            _scrambled(ops.cast(self._seed.value, "int32")) ^ ops.cast(draws, "int32")
        )
        return [_with_noise(g, σ[i], keys[i]) for i, g in enumerate(gradients)]


def _with_noise(g, σ, key):
    n = ops.reshape(σ * _normal(math.prod(g.shape), key), g.shape)
    exact = at_least_float32(g)
    return ops.cast(exact + ops.cast(n, exact.dtype), g.dtype)


def _normal(count, key):
    """Return normal random numbers, the same on all backends, compiled or not, for a key.

    TensorFlow's own differ between its kernels and XLA.
    """
    bits = _scrambled(_scrambled(ops.arange(count, dtype="int32")) ^ key)
    u = ops.cast(ops.bitwise_and(bits, np.int32(2**23 - 1)), "float32") + 0.5  # exact
    return 2**0.5 * ops.erfinv(u * 2**-22 - 1)


def _scrambled(x):
    """Scramble the bits of 32-bit integers, one to one (Wellons's `lowbias32`)."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B - 2**32), (16, 1)):
        zeros_in_front = np.int32(2 ** (32 - shift) - 1)
        x = (x ^ ops.bitwise_and(ops.right_shift(x, np.int32(shift)), zeros_in_front)) * factor
    return x
