from pathlib import Path
from typing import Any

import keras

from kcatalog.callbacks import periodic
from kcatalog.callbacks.innermost import innermost
from kcatalog.card import Example, Paper
from kcatalog.registry import component


@component(
    paper=Paper(
        "Practical Recommendations for Gradient-Based Training of Deep Architectures",
        "Bengio",
        2012,
        "https://arxiv.org/abs/1206.5533",
        "section 3.3 on diagnostics: updates should be about 1e-3 of the weights",
    ),
    equation="for each layer: ‖w_t - w_(t-1)‖ / ‖w_(t-1)‖",
    tags=("monitoring",),
    example=Example({"every_steps": 2}),
)
class StepSize(periodic.Periodic):
    """Step size: logs the learning rate as applied, and each layer's update-to-weight ratio.

    A ratio near 1e-3 is healthy for most layers; above 1e-2 the learning rate is too high for
    that layer, below 1e-5 the layer stands still. It needs no pass over data, so it may stay on
    in every training. What makes a step too small, a gradient that vanishes, say, `GradientFlow`
    and `ActivationStatistics` tell.

    Maths:
        For the weights `w` of one layer: `update_ratio = ‖w_t - w_(t-1)‖₂ / ‖w_(t-1)‖₂` over one
        training step `t`, whatever the optimizer and its wrappers do in it. A layer whose weights
        are all zero has no ratio. `learning_rate` is the innermost optimizer's at step `t`.

    Args:
        log_dir: Where TensorBoard's event file goes, or None to look at `update_ratios` only.
        every_steps: Training steps from one measurement to the next, an integer in [1, inf).
        max_share: The share of training time that measuring may take, in (0, 1]. A measurement
            that would take more is left out. 1 measures anyhow.

    Shapes:
        One scalar per measurement, `learning_rate`, and one per layer, `update_ratio/<layer>`.

    Behaviour:
        Training ends with the same weights as without it. A measurement costs two copies of the
        weights. The rate is read right before the step that uses it: schedules, wrappers and
        loss scaling are looked through, and steps that only accumulate gradients have the ratio
        0. With `steps_per_execution` a ratio spans that many steps. A `MultiOptimizer` has a
        rate for each of its optimizers. Weights that the first step makes have no ratio in it.
        The last measurement stays readable as `learning_rates` and `update_ratios`; `measured`
        and `left_out` count. In a training of another model the callback starts anew.

    Example:
        `L = (w x)²` at `w = 1`, `x = 3` has the gradient 18; a rate of 0.01 moves `w` by 0.18:

        >>> import numpy as np
        >>> inputs = keras.Input((1,))
        >>> layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name="line")
        >>> model = keras.Model(inputs, layer(inputs))
        >>> model.compile(keras.optimizers.SGD(0.01), "mse")
        >>> size = StepSize(every_steps=1)
        >>> x, y = np.array([[3.0]]), np.array([[0.0]])
        >>> history = model.fit(x, y, verbose=0, callbacks=[size])
        >>> print(f"{size.update_ratios['line']:.2f}")
        0.18
    """

    def __init__(
        self, log_dir: str | Path | None = None, every_steps: int = 100, max_share: float = 1.0
    ):
        super().__init__(log_dir, every_steps, max_share)

    def forget(self) -> None:
        super().forget()
        self.learning_rates, self.update_ratios = {}, {}

    def before(self) -> None:
        self._before = periodic.Weights(self.model)
        self.learning_rates = {
            f"learning_rate{suffix}": float(keras.ops.convert_to_numpy(o.learning_rate))
            for suffix, o in innermost(self.model.optimizer)
        }

    def measure(self) -> dict[str, Any]:
        moved = periodic.Weights(self.model).moved_from(self._before)
        norms, self._before = self._before.norms(), None
        self.update_ratios = {layer: m / norms[layer] for layer, m in moved.items() if norms[layer]}
        ratios = {f"update_ratio/{layer}": r for layer, r in self.update_ratios.items()}
        return {**self.learning_rates, **ratios}
