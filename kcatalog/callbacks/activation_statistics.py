import warnings
from pathlib import Path
from typing import Any

import numpy as np

from kcatalog import checks
from kcatalog.callbacks import periodic
from kcatalog.callbacks.probe_activations import ProbeActivations
from kcatalog.card import Example, Paper
from kcatalog.registry import component


@component(
    paper=Paper(
        "Understanding the difficulty of training deep feedforward neural networks",
        "Glorot, Bengio",
        2010,
        "https://proceedings.mlr.press/v9/glorot10a.html",
        "section 3, activations and saturation by layer",
    ),
    equation="for each layer on a fixed batch: mean(a), std(a), P(a = 0), share of units always 0",
    tags=("monitoring",),
    example=Example({"probe": ([[1.0, 2.0, 3.0]], [[1.0, 0.0]]), "every_steps": 2, "window": 2}),
)
class ActivationStatistics(periodic.Periodic):
    """Activation statistics: logs what every layer puts out, and warns of layers that died.

    A unit whose output is zero for every sample has no gradient and never comes back: too high
    a learning rate kills units of ReLU by and by. Units at the ends of a tanh or sigmoid hardly
    learn either. The batch is always the same one, and is seen as in inference, without dropout.

    Maths:
        For the output `a` of one layer on the probe: its mean, its standard deviation, `zeros`,
        the share of `a = 0`, and, where the layer's activation has two bounds, `saturated`, the
        share of `a` within 5 % of the range from either. A unit, one entry of the channel axis,
        is dead if it was 0 everywhere at each of the last `window` measurements.

    Args:
        probe: The batch: `(x,)`, `(x, y)` or `(x, y, sample_weight)` as arrays, or a dataset, of
            which the first batch is taken. Only `x` is used.
        log_dir: Where TensorBoard's event file goes, or None to warn only.
        every_steps: Training steps from one measurement to the next, an integer in [1, inf).
        dead: The share of dead units from which a layer is said to be dead, in (0, 1].
        window: Measurements that a unit has to be zero at, an integer in [1, inf).
        max_share: The share of training time that measuring may take, in (0, 1]. A measurement
            that would take more is left out: in a short training all of them. 1 measures anyhow.

    Shapes:
        Scalars per layer and measurement: `activation_mean/<layer>`,
        `activation_deviation/<layer>`, `activation_zeros/<layer>`, `dead_units/<layer>` and, with
        a bounded activation, `activation_saturated/<layer>`.

    Behaviour:
        Watches layers that have weights to train or are activations, and put out one tensor of
        floats, in models of any kind: of a subclassed model those that stand on its attributes.
        A layer or model inside of these is part of them. Of a layer that is called several times
        the first call is watched; a model whose own weights do all is watched as one layer.
        Training ends with the same weights as without it. A measurement costs one forward pass
        over the probe. Warns once per layer. Steps that are masked count as they come out. The
        last measurement stays readable as `statistics`; `measured` and `left_out` count. In a
        training of another model the callback starts anew.

    Example:
        Of the units `relu(x)` and `relu(-x)`, the second is zero for positive `x`:

        >>> import keras
        >>> import numpy as np
        >>> inputs = keras.Input((1,))
        >>> layer = keras.layers.Dense(2, "relu", name="both")
        >>> model = keras.Model(inputs, layer(inputs))
        >>> layer.set_weights([np.array([[1.0, -1.0]]), np.zeros(2)])
        >>> model.compile(keras.optimizers.SGD(0.0), "mse")
        >>> x, y = np.array([[3.0], [1.0]]), np.zeros((2, 2))
        >>> activations = ActivationStatistics((x, y), every_steps=1, window=1, dead=1.0)
        >>> history = model.fit(x, y, verbose=0, callbacks=[activations])
        >>> {name: round(value, 2) for name, value in activations.statistics["both"].items()}
        {'mean': 1.0, 'deviation': 1.22, 'zeros': 0.5, 'dead_units': 0.5}
    """

    first_price = 0.5

    def __init__(
        self,
        probe: Any,
        log_dir: str | Path | None = None,
        every_steps: int = 100,
        dead: float = 0.5,
        window: int = 3,
        max_share: float = 1.0,
    ):
        super().__init__(log_dir, every_steps, max_share)
        self.probe = periodic.first_batch(self, probe)
        self.dead = checks.number(self, "dead", dead, "(0, 1]")
        self.window = checks.integer(self, "window", window, "[1, inf)")

    def forget(self) -> None:
        super().forget()
        self.statistics = {}
        self._zero_for, self._warned = {}, set()

    def start(self) -> None:
        self._activations = ProbeActivations(self.model, self.probe[0])

    def measure(self) -> dict[str, Any]:
        periodic.sync(self.model)
        self.statistics = {}
        for layer, (numbers, largest) in self._activations().items():
            zero = self._zero_for.get(layer, 0)
            self._zero_for[layer] = zero = np.where(largest == 0, zero + 1, 0)
            numbers["dead_units"] = float(np.mean(zero >= self.window))
            self.statistics[layer] = numbers
            self._judge(layer, numbers["dead_units"])
        return {
            f"{name if name == 'dead_units' else f'activation_{name}'}/{layer}": number
            for layer, numbers in self.statistics.items()
            for name, number in numbers.items()
        }

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._activations = None
        super().on_train_end(logs)

    def _judge(self, layer, share):
        if share >= self.dead and layer not in self._warned:
            self._warned.add(layer)
            warnings.warn(
                f"ActivationStatistics: layer {layer!r} is dead at step {self._step}: "
                f"{share:.0%} of its units put out nothing but zeros at {self.window} "
                f"measurements, dead={self.dead:g} allows less. A lower learning rate helps, or "
                "a leaky activation.",
                RuntimeWarning,
                stacklevel=2,
            )
