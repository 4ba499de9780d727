import math
from typing import Any

import keras
import numpy as np

from kcatalog import checks
from kcatalog.callbacks.innermost import innermost
from kcatalog.callbacks.periodic import sync
from kcatalog.card import Example, Paper
from kcatalog.registry import component


@component(
    paper=Paper(
        "Cyclical Learning Rates for Training Neural Networks",
        "Smith",
        2015,
        "https://arxiv.org/abs/1506.01186",
        "section 3.3",
    ),
    equation="ηᵢ = η₀ (η₁/η₀)^(i / (n - 1)) until the loss diverges, then all is as before",
    example=Example({"minimum": 1e-4, "maximum": 1.0, "steps": 12}),
)
class LearningRateRangeTest(keras.callbacks.Callback):
    """Learning-rate range test: raises the rate batch by batch and suggests one for training.

    Some hundred batches in place of several trainings: too low a rate leaves the loss where it is,
    the right one lets it fall, and too high a rate makes it explode. For a first rate of a new
    model or batch size, and for the bounds of `Cyclical` and the peak of `OneCycle`. What is best
    in the first hundred batches need not be best at the end, so tune around it where you can.

    Maths:
        `ηᵢ = η₀ (η₁/η₀)^(i / (n - 1))` for batch `i`, with `η₀` = `minimum`, `η₁` = `maximum`,
        `n` = `steps`. With `lᵢ` the loss of the batch and `β` = `smoothing`,
        `sᵢ = Σ βᵏ lᵢ₋ₖ / Σ βᵏ` is the smoothed loss. The test ends where `sᵢ` is not finite or
        rises above `min s + (d - 1) |min s|`, `d` = `divergence`. "steepest" is the rate in the
        middle of those `n/8` batches over which the loss falls fastest by `log η` (by least
        squares) before `s` is smallest, and "minimum/10" a tenth of the rate where it is.

    Args:
        minimum: `η₀`, a rate that is surely too low, in (0, inf).
        maximum: `η₁`, a rate that is surely too high, in (0, inf), above `minimum`.
        steps: `n`, the batches of the test, an integer in [8, inf).
        smoothing: `β`, in [0, 1). Larger values hide noise and see the minimum later.
        divergence: `d`, the multiple of the smallest loss that ends the test, in (1, inf).

    Shapes:
        One rate and one loss per batch: `rates`, `losses` and `smoothed`.

    Behaviour:
        Call `fit` with this callback alone and enough `epochs` for `steps` batches; it stops
        by itself. Afterwards the weights, other state such as moving statistics and seeds, and
        the optimizer's variables are what they were, also if the loss was NaN. After an exception
        call `restore()`. A model that is built only by its first batch keeps that batch's step, at
        the lowest rate. The optimizer must have a constant rate, since a schedule cannot be set;
        all optimizers of a `MultiOptimizer` get the same one. Results: `suggestion` (the steepest),
        `suggestions` (both), and `plot()`, a figure of matplotlib.

    Example:
        `L = w²` with `w ← (1 - 2 η) w` has fallen before `η` reaches 1, where it would diverge:

        >>> import numpy as np
        >>> inputs = keras.Input((1,))
        >>> line = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
        >>> model = keras.Model(inputs, line(inputs))
        >>> model.compile(keras.optimizers.SGD(0.5), "mse")
        >>> test = LearningRateRangeTest(1e-3, 10.0, steps=40)
        >>> x, y = np.ones((40, 1)), np.zeros((40, 1))
        >>> history = model.fit(x, y, batch_size=1, verbose=0, callbacks=[test])
        >>> print(f"{test.suggestion:.2f} {float(model.get_weights()[0][0, 0])}")
        0.07 1.0
    """

    def __init__(
        self,
        minimum: float = 1e-7,
        maximum: float = 10.0,
        steps: int = 100,
        smoothing: float = 0.8,
        divergence: float = 4.0,
    ):
        super().__init__()
        self.minimum = checks.number(self, "minimum", minimum, "(0, inf)")
        self.maximum = checks.number(self, "maximum", maximum, "(0, inf)")
        if maximum <= minimum:
            raise checks.error(self, "maximum", f"above minimum={minimum!r}", maximum)
        self.steps = checks.integer(self, "steps", steps, "[8, inf)")
        self.smoothing = checks.number(self, "smoothing", smoothing, "[0, 1)")
        self.divergence = checks.number(self, "divergence", divergence, "(1, inf)")
        self.rates, self.losses, self.smoothed, self._saved = [], [], [], None

    # --- the test -----------------------------------------------------------------------

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.rates, self.losses, self.smoothed, self._saved = [], [], [], None
        for _, optimizer in innermost(self.model.optimizer):
            if not isinstance(optimizer.learning_rate, keras.Variable):
                raise ValueError(
                    "LearningRateRangeTest sets the learning rate, which a schedule or a callable "
                    "does not allow. Compile the model with a number as learning_rate first."
                )
        if self.model.variables:
            self._save()

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        sync(self.model)
        self.model.reset_metrics()  # else the logs hold the mean loss of the epoch
        i = min(len(self.rates), self.steps - 1)
        rate = self.minimum * (self.maximum / self.minimum) ** (i / (self.steps - 1))
        for _, optimizer in innermost(self.model.optimizer):
            optimizer.learning_rate = rate
        self.rates.append(rate)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if not logs or "loss" not in logs:
            raise ValueError(
                "LearningRateRangeTest reads the loss of each batch, and the logs of `train_step` "
                f"hold none. They hold: {sorted(logs or {})}. Return it there as 'loss'."
            )
        self.losses.append(float(keras.ops.convert_to_numpy(logs["loss"])))
        self.smoothed.append(self._smooth())
        if self._saved is None:
            self._save()
        best, last = min(self.smoothed), self.smoothed[-1]
        diverged = not last <= best + (self.divergence - 1) * abs(best)
        if diverged or len(self.rates) >= self.steps:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.restore()

    def _smooth(self):
        weights = self.smoothing ** np.arange(len(self.losses))[::-1]
        return float(np.sum(weights * self.losses) / np.sum(weights))

    def _save(self):
        sync(self.model)
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        variables = [*self.model.variables, *self.model.optimizer.variables]
        self._saved = [(v, np.array(keras.ops.convert_to_numpy(v))) for v in variables]

    def restore(self) -> None:
        """Set all variables of the model and of its optimizer to what they were."""
        sync(self.model)
        for variable, value in self._saved or ():
            variable.assign(value)
        self._saved = None

    # --- its result ---------------------------------------------------------------------

    @property
    def suggestion(self) -> float:
        """The learning rate at which the loss fell fastest."""
        return self.suggestions["steepest"]

    @property
    def suggestions(self) -> dict[str, float]:
        """Learning rates by the rule that suggests each: "steepest" and "minimum/10"."""
        length = max(3, self.steps // 8)
        x, y = np.log(self.rates[: len(self.losses)]), np.array(self.losses)
        lowest = int(np.nanargmin(self.smoothed)) if np.isfinite(self.smoothed).any() else 0
        found = {}
        for i in range(max(0, lowest + 1 - length) + 1):
            window = slice(i, i + length)
            if len(y[window]) == length and np.all(np.isfinite(y[window])):
                found[float(np.polyfit(x[window], y[window], 1)[0])] = float(np.mean(x[window]))
        if not found or min(found) >= 0:
            raise ValueError(
                f"LearningRateRangeTest: the loss fell nowhere between {self.minimum:g} and "
                f"{self.maximum:g} in {len(self.losses)} batches. Test lower rates, or more steps."
            )
        return {"steepest": math.exp(found[min(found)]), "minimum/10": self.rates[lowest] / 10}

    def plot(self) -> Any:
        """Draw both losses over the rates and return the figure, for `savefig` or a notebook."""
        try:
            from matplotlib.figure import Figure
        except ImportError as e:
            raise ImportError("plot() needs matplotlib: pip install 'kcatalog[recipes]'") from e
        figure = Figure(layout="constrained")
        axes = figure.subplots()
        rates = self.rates[: len(self.losses)]
        axes.plot(rates, self.losses, color="lightgrey", label="loss of the batch")
        axes.plot(rates, self.smoothed, label="smoothed")
        for (rule, rate), style in zip(self.suggestions.items(), ("--", ":"), strict=True):
            axes.axvline(rate, color="black", linestyle=style, label=f"{rule}: {rate:.2g}")
        axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
        lowest, first = np.nanmin(self.smoothed), self.smoothed[0]
        axes.set_ylim(lowest - 0.1 * (first - lowest), first + 0.2 * (first - lowest))
        axes.legend()
        return figure
