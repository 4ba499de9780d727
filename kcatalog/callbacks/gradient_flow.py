"""See which layers learn: the norm of every layer's gradient and update, as training goes."""

import math
import os
import warnings

import keras
import numpy as np

from kcatalog import checks
from kcatalog.callbacks.probe_gradients import ProbeGradients, as_array
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
class GradientFlow(keras.callbacks.Callback):
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
        probe: The batch: `(x, y)` or `(x, y, sample_weight)` as arrays, or a dataset, of which
            the first batch is taken.
        log_dir: Where TensorBoard's event file goes, or None to warn only.
        every_steps: Training steps from one measurement to the next, an integer in [1, inf).
        vanishing: The gradient norm below which a layer is said to have lost its gradient, in
            [0, inf).
        exploding: The gradient norm above which a layer's gradient is said to explode, in
            (0, inf).

    Shapes:
        Two scalars per layer and measurement: `gradient_norm/<layer>`, `update_norm/<layer>`.

    Behaviour:
        Training ends with the same weights as without it: dropout's seeds and batch
        normalization's statistics are left alone. A measurement costs one forward and one
        backward pass over the probe, and a copy of the weights for each of two steps. Warns once
        per layer and condition. Loss scaling is applied and taken out again. With
        `steps_per_execution` an update norm spans that many steps. The last measurement stays
        readable as `gradient_norms` and `update_norms`.

    Example:
        For `L = (w x - y)²` at `w = 1`, `x = 3`, `y = 0`, the gradient is `2 · 3 · 3 = 18`:

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

    def __init__(self, probe, log_dir=None, every_steps=100, vanishing=1e-7, exploding=1e3):
        super().__init__()
        self.probe = _first_batch(self, probe)
        if log_dir is not None:
            paths, fix = (str, os.PathLike), 'For example: "logs/gradients".'
            log_dir = str(checks.instance(self, "log_dir", log_dir, paths, "a path or None", fix))
        self.log_dir = log_dir
        self.every_steps = checks.integer(self, "every_steps", every_steps, "[1, inf)")
        self.vanishing = checks.number(self, "vanishing", vanishing, "[0, inf)")
        self.exploding = checks.number(self, "exploding", exploding, "(0, inf)")
        self.gradient_norms, self.update_norms = {}, {}
        self._warned, self._writer, self._step = set(), None, 0

    def on_train_begin(self, logs=None):
        self._gradients = ProbeGradients(self.model, *self.probe)
        self._before = None
        if self.log_dir is not None:  # imported here: it loads TensorFlow, whatever the backend
            from tensorboard.summary import Writer

            self._writer = Writer(self.log_dir)

    def on_train_batch_end(self, batch, logs=None):
        self._step += 1
        if self._step % self.every_steps == 0:
            self._measure()
        if (self._step + 1) % self.every_steps == 0:
            self._before = self._weights()

    def on_train_end(self, logs=None):
        self._gradients = self._before = None
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _measure(self):
        after = self._weights()
        self.gradient_norms = self._norms(self._gradients())
        if self._before is not None:
            steps = zip(after, self._before, strict=True)
            self.update_norms = self._norms([w1 - w0 for w1, w0 in steps])
        self._before = None
        for layer, norm in self.gradient_norms.items():
            self._judge(layer, norm)
        self._write("gradient_norm", self.gradient_norms)
        self._write("update_norm", self.update_norms)

    def _norms(self, arrays):
        """Layer path within the model -> the norm over all its weights."""
        squares = {}
        for variable, array in zip(self.model.trainable_variables, arrays, strict=True):
            path = variable.path.removeprefix(f"{self.model.name}/")  # differs from run to run
            layer = path.rpartition("/")[0] or path
            square = float(np.sum(np.square(array, dtype="float64")))
            squares[layer] = squares.get(layer, 0.0) + square
        return {layer: math.sqrt(s) for layer, s in squares.items()}

    def _weights(self):
        if hasattr(self.model, "jax_state_sync"):  # inside `fit`, JAX holds them elsewhere
            self.model.jax_state_sync()
        return [as_array(v.value) for v in self.model.trainable_variables]

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

    def _write(self, kind, norms):
        if self._writer is not None:
            for layer, norm in norms.items():
                self._writer.add_scalar(f"{kind}/{layer}", norm, self._step)
            self._writer.flush()


def _first_batch(owner, probe):
    """`(x, y)` or `(x, y, sample_weight)` as NumPy arrays."""
    if not isinstance(probe, tuple | list):
        try:
            probe = next(iter(probe))
        except (TypeError, StopIteration):
            probe = ()
    if not isinstance(probe, tuple | list) or len(probe) not in (2, 3):
        rule = "(x, y), (x, y, sample_weight) or a dataset of these"
        raise checks.error(owner, "probe", rule, probe, "For example: (x[:32], y[:32]).")
    return tuple(_as_arrays(part) for part in probe)


def _as_arrays(x):
    """One array, or a dict or list of arrays where the model has several inputs."""
    if isinstance(x, dict):
        return {name: _as_arrays(a) for name, a in x.items()}
    if isinstance(x, tuple | list) and all(hasattr(a, "shape") for a in x):
        return [_as_arrays(a) for a in x]
    array = keras.ops.convert_to_numpy(x) if keras.ops.is_tensor(x) else np.asarray(x)
    return array.astype(keras.backend.floatx()) if array.dtype.kind == "f" else array
