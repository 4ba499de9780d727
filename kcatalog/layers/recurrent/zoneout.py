from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper, Part
from kcatalog.layers.recurrent.cell_wrapper import CellWrapper
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Zoneout: Regularizing RNNs by Randomly Preserving Hidden Activations",
        "Krueger, Maharaj, Kramár, Pezeshki, Ballas, Ke, Goyal, Bengio, Courville, Pal",
        2017,
        "https://arxiv.org/abs/1606.01305",
        "equation 2",
    ),
    equation="h' = d h + (1 - d) f(x, h),  d ~ Bernoulli(rate); at inference d = rate",
    tags=("cell", "recurrent", "random"),
    space={"rate": Float(0.0, 0.5)},
    example=Example(
        {"cell": Part("keras.layers.GRUCell", units=4), "rate": 0.4, "seed": 1}, shape=(5, 3)
    ),
)
class Zoneout(CellWrapper):
    """Zoneout around a recurrent cell: at each step some units keep their state.

    Where dropout would erase what a unit remembers, this one only delays it. The paper's rates
    are 0.05 to 0.5, smaller for `h` than for `c` of an LSTM.

    Maths:
        `s' = d s + (1 - d) f(x, s)` for each state `s` of the cell `f`, with `d` drawn for each
        unit and step from Bernoulli(`rate`); at inference `d` = `rate`, its expectation. An
        output that is a state is the new `s'`.

    Args:
        rate: Probability that a unit keeps its state, a number in [0, 1], or a list of them, one
            for each state, such as [0.05, 0.5] for `h` and `c`.
        seed: Seed of the draw, an integer in [0, inf), or None.

    Behaviour:
        In a loop that JAX compiles no step can draw random numbers of its own. There they are
        drawn once a call, and shifted by the digits of a step's states: when equal input comes
        again and a unit depends on itself alone, it may be kept again and again.

    Example:
        At inference half of the old state is kept:

        >>> from keras.layers import SimpleRNNCell
        >>> cell = Zoneout(SimpleRNNCell(1, activation=None, kernel_initializer="ones"), rate=0.5)
        >>> _, (h,) = cell(ops.array([[4.0]]), [ops.array([[0.0]])])
        >>> print(ops.convert_to_numpy(h))
        [[2.]]
    """

    def __init__(
        self,
        cell: keras.layers.Layer,
        rate: Sequence[float] = 0.1,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(cell, **kwargs)
        n = len(keras.tree.flatten(cell.state_size))
        if isinstance(rate, list | tuple):
            checks.numbers_list(self, "rate", rate, "[0, 1]")
            if len(rate) != n:
                raise checks.error(self, "rate", f"a number, or a list of {n}", rate)
        else:
            checks.number(self, "rate", rate, "[0, 1]")
        self.rate = rate
        self.seed = checks.integer(self, "seed", seed, "[0, inf)", optional=True)
        self._rates = list(rate) if isinstance(rate, list | tuple) else [rate] * n
        self._seed_generator = keras.random.SeedGenerator(seed)
        self._noise = None

    def get_dropout_mask(self, step_input: Tensor) -> Tensor:
        """Draw what the steps of a sequence share; `keras.layers.RNN` calls this before them."""
        # at inference nothing must be drawn; `stateless_call` does not say what it is
        training = getattr(self._get_call_context(), "training", True)
        self._maybe_reset_call_context()
        if keras.backend.backend() == "jax" and training and self._noise is None:
            batch, sizes = ops.shape(step_input)[0], keras.tree.flatten(self.state_size)
            self._noise = [self._uniform((batch, n)) for n in sizes]
        return super().get_dropout_mask(step_input)

    def reset_dropout_mask(self) -> None:
        self._noise = None
        super().reset_dropout_mask()

    def _uniform(self, shape):
        return keras.random.uniform(shape, dtype="float32", seed=self._seed_generator)

    def _draw(self, x, states):
        """Return uniform random numbers for each unit of each state."""
        if keras.backend.backend() != "jax":
            return [self._uniform(ops.shape(s)) for s in states]
        self.get_dropout_mask(x)
        digits = [1618.034 * ops.cast(ops.stop_gradient(s), "float32") for s in states]
        return [(u + d) % 1.0 for u, d in zip(self._noise, digits, strict=True)]

    def call(self, x: Tensor, states: list[Tensor], training: bool | None = False) -> Tensor:
        y, new = self.run_cell(x, states, training)
        fresh = keras.tree.flatten(new)
        old = self.cast(keras.tree.flatten(states), fresh[0].dtype)
        if training:
            draws = self._draw(x, fresh)
            kept = [
                ops.where(u < r, o, s)
                for u, r, o, s in zip(draws, self._rates, old, fresh, strict=True)
            ]
        else:
            kept = [r * o + (1 - r) * s for r, o, s in zip(self._rates, old, fresh, strict=True)]
        y = next((k for k, s in zip(kept, fresh, strict=True) if s is y), y)
        return self.cast(y), self.cast(keras.tree.pack_sequence_as(new, kept))
