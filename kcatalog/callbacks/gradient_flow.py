import warnings
from pathlib import Path
from typing import Any

from kcatalog import checks
from kcatalog.callbacks import periodic
from kcatalog.callbacks.probe_gradients import ProbeGradients
from kcatalog.card import Example, Paper
from kcatalog.registry import component


@component(
    paper=Paper(
        "Understanding the difficulty of training deep feedforward neural networks",
        "Glorot, Bengio",
        2010,
        "https://proceedings.mlr.press/v9/glorot10a.html",
        "section 4.2, back-propagated gradients by layer",
    ),
    equation="for each layer: ‖∂L/∂w‖ on a fixed batch, and ‖w_t - w_(t-1)‖",
    tags=("monitoring",),
    example=Example({"probe": ([[1.0, 2.0, 3.0]], [[1.0, 0.0]]), "every_steps": 2}),
)
class GradientFlow(periodic.Periodic):
    """Gradient flow: logs each layer's gradient and update norm, and warns of dead or wild ones.

    Every so many steps the gradient is taken on a small batch held back for the purpose, always
    the same one: so the curve shows the network changing, not the luck of the batch. Use it while
    designing a deep or recurrent model, and drop it when training is known to work. It sees
    nothing of a custom `train_step`, only the compiled loss.

    Maths:
        For the weights `w` of one layer: `gradient_norm = ‖∂L/∂w‖₂`, with `L` the compiled loss
        on the probe, regularization included, and `update_norm = ‖w_t - w_(t-1)‖₂`, what the
        optimizer made of one training step. Vanishing: `gradient_norm < vanishing`; exploding:
        `gradient_norm > exploding` or not finite.

    Args:
        probe: The batch: `(x, y)` or `(x, y, sample_weight)` as arrays, `(x,)` where the model
            adds its loss itself, or a dataset, of which the first batch is taken.
        log_dir: Where TensorBoard's event file goes, or None to warn only.
        every_steps: Training steps from one measurement to the next, an integer in [1, inf).
        vanishing: The gradient norm below which a layer is said to have lost its gradient, in
            [0, inf).
        exploding: The gradient norm above which a layer's gradient is said to explode, in
            (0, inf).
        max_share: The share of training time that measuring may take, in (0, 1]. A measurement
            that would take more is left out: in a short training all of them. 1 measures anyhow.

    Shapes:
        Two scalars per layer and measurement: `gradient_norm/<layer>`, `update_norm/<layer>`.

    Behaviour:
        Training ends with the same weights as without it: dropout's seeds and batch
        normalization's statistics are left alone. A measurement costs one forward and one
        backward pass over the probe, and a copy of the weights for each of two steps. Warns once
        per layer and condition. Loss scaling is applied and taken out again. With
        `steps_per_execution` an update norm spans that many steps. Where Keras makes the training
        step anew, for another loss say, the gradient is that of the new one from then on. Weights
        that the first step makes have no update in it, and a model whose only loss is in its own
        `train_step` has no gradient here. The last measurement stays readable as `gradient_norms`
        and `update_norms`; `measured` and `left_out` count. In a training of another model the
        callback starts anew.

    Example:
        For `L = (w x - y)²` at `w = 1`, `x = 3`, `y = 0`, the gradient is `2 · 3 · 3 = 18`:

        >>> import keras
        >>> import numpy as np
        >>> inputs = keras.Input((1,))
        >>> layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name="line")
        >>> model = keras.Model(inputs, layer(inputs))
        >>> model.compile(keras.optimizers.SGD(0.0), "mse")
        >>> x, y = np.array([[3.0]]), np.array([[0.0]])
        >>> flow = GradientFlow((x, y), every_steps=1)
        >>> history = model.fit(x, y, verbose=0, callbacks=[flow])
        >>> print(f"{flow.gradient_norms['line']:.1f}")
        18.0
    """

    first_price = 1.0

    def __init__(
        self,
        probe: Any,
        log_dir: str | Path | None = None,
        every_steps: int = 100,
        vanishing: float = 1e-7,
        exploding: float = 1e3,
        max_share: float = 1.0,
    ):
        super().__init__(log_dir, every_steps, max_share)
        self.probe = periodic.first_batch(self, probe)
        self.vanishing = checks.number(self, "vanishing", vanishing, "[0, inf)")
        self.exploding = checks.number(self, "exploding", exploding, "(0, inf)")

    def forget(self) -> None:
        super().forget()
        self.gradient_norms, self.update_norms = {}, {}
        self._warned = set()

    def start(self) -> None:
        self._gradients = ProbeGradients(self.model, *self.probe)

    def compiles(self) -> bool:
        return not self._gradients.compiled

    def before(self) -> None:
        self._before = periodic.Weights(self.model)

    def measure(self) -> dict[str, Any]:
        self.update_norms = periodic.Weights(self.model).moved_from(self._before)
        self.gradient_norms = periodic.by_layer(self.model, self._gradients())
        self._before = None
        for layer, norm in self.gradient_norms.items():
            self._judge(layer, norm)
        return {
            **{f"gradient_norm/{layer}": n for layer, n in self.gradient_norms.items()},
            **{f"update_norm/{layer}": n for layer, n in self.update_norms.items()},
        }

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._gradients = None
        super().on_train_end(logs)

    def _judge(self, layer, norm):
        if norm < self.vanishing:
            condition, bound = "vanishes", f"below vanishing={self.vanishing:g}"
        elif not norm <= self.exploding:
            condition, bound = "explodes", f"above exploding={self.exploding:g}"
        else:
            return
        if (layer, condition) not in self._warned:
            self._warned.add((layer, condition))
            warnings.warn(
                f"GradientFlow: the gradient of layer {layer!r} {condition} at step "
                f"{self._step}: its norm is {norm:.3g}, {bound}.",
                RuntimeWarning,
                stacklevel=2,
            )
