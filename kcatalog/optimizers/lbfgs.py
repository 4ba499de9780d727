"""L-BFGS on the whole data set, by SciPy."""

import keras
import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.types import Tensor


def fit_lbfgs(
    model: keras.Model,
    x: Tensor,
    y: Tensor | None = None,
    sample_weight: Tensor | None = None,
    *,
    max_iterations: int = 200,
    tolerance: float = 1e-5,
    memory: int = 10,
) -> keras.callbacks.History:
    """Train a compiled model by L-BFGS, on all data at once.

    For small models and data that fit into memory at once: logistic regression, small networks for
    regression, physics-informed networks. There it comes closer to the minimum, in fewer passes,
    than any optimizer of single steps, and needs no learning rate. Not for mini-batches, whose
    noise breaks its estimate of the curvature. The method is that of Liu and Nocedal (1989) and
    Byrd et al. (1995), as SciPy implements it; weights and the curvature are kept in float64,
    and the loss is computed in the dtype of the model.

    The loss is that of `model.compile`, with the penalties of regularizers and `add_loss`, at
    inference: no dropout, and batch statistics as they are. The model's optimizer and its metrics
    are not used.

    Args:
        model: a built model that was compiled with a loss.
        x: inputs, as `fit` takes arrays.
        y: targets, or None.
        sample_weight: weights of the samples, or None.
        max_iterations: how many steps to take at most, in [1, inf).
        tolerance: end when no entry of the gradient is larger, in [0, inf).
        memory: how many pairs of steps and changes of the gradient to keep, in [1, inf).

    Returns:
        A `keras.callbacks.History`: `history["loss"]` and `history["gradient"]`, its largest entry,
        before the first and after each iteration. `params` says how it ended: `converged` (no
        entry of the gradient is larger than `tolerance`, or the loss falls no more in the
        precision of the model), SciPy's `message`, and `evaluations`.

    The logarithm of the odds 3 : 1:

    >>> import math
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, "sigmoid")])
    >>> model.compile(loss="binary_crossentropy")
    >>> x, y = np.zeros((4, 1)), np.array([1.0, 1.0, 1.0, 0.0])
    >>> history = fit_lbfgs(model, x, y)
    >>> bias = float(ops.convert_to_numpy(model.layers[0].bias.value)[0])
    >>> abs(bias - math.log(3)) < 1e-3, history.params["converged"]
    (True, True)
    """
    minimize = _scipy_minimize()
    checks.integer("fit_lbfgs", "max_iterations", max_iterations, "[1, inf)")
    checks.number("fit_lbfgs", "tolerance", tolerance, "[0, inf)")
    checks.integer("fit_lbfgs", "memory", memory, "[1, inf)")
    objective = _Objective(model, x, y, sample_weight)
    history = keras.callbacks.History()
    history.set_model(model)
    history.on_train_begin()

    def keep(flat):
        loss, gradient = objective(flat)
        logs = {"loss": loss, "gradient": float(np.max(np.abs(gradient), initial=0.0))}
        history.on_epoch_end(len(history.epoch), logs)

    start = objective.start()
    keep(start)
    # ftol 0: SciPy would otherwise end as soon as the loss falls slowly
    options = {"maxiter": max_iterations, "gtol": tolerance, "maxcor": memory, "ftol": 0.0}
    options["maxfun"] = 20 * max_iterations
    result = minimize(objective, start, jac=True, method="L-BFGS-B", callback=keep, options=options)
    objective.assign(result.x)
    ended = {"converged": bool(result.success), "message": str(result.message)}
    history.set_params({**ended, "evaluations": objective.evaluations})
    return history


def _scipy_minimize():
    try:
        from scipy.optimize import minimize
    except ImportError as e:
        raise ImportError("fit_lbfgs needs SciPy: pip install 'kcatalog[recipes]'") from e
    return minimize


class _Objective:
    """The loss and its gradient as functions of all weights in one vector of float64."""

    def __init__(self, model, x, y, sample_weight):
        if not model.built or not model.trainable_variables:
            rule = "a built model with weights that can be trained"
            fix = "Call it on some data first, or give it a keras.Input."
            raise checks.error("fit_lbfgs", "model", rule, model, fix)
        if not model.compiled:
            rule = "compiled with a loss"
            raise checks.error("fit_lbfgs", "model", rule, model, 'Call model.compile(loss="mse").')
        self._model, self._variables = model, model.trainable_variables
        self._data = [
            None if a is None else keras.tree.map_structure(ops.convert_to_tensor, a)
            for a in (x, y, sample_weight)
        ]
        compiled = not model.run_eagerly
        self._function = _BACKENDS[keras.backend.backend()](self._loss, compiled)
        self._last = (None, None)
        self.evaluations = 0

    def start(self):
        values = [ops.convert_to_numpy(v.value).ravel() for v in self._variables]
        return np.concatenate(values).astype("float64")

    def assign(self, flat):
        for variable, value in zip(self._variables, self._split(flat), strict=True):
            variable.assign(value)

    def __call__(self, flat):
        if self._last[0] is None or not np.array_equal(flat, self._last[0]):
            weights = [
                ops.convert_to_tensor(value.astype(v.dtype), v.dtype)
                for v, value in zip(self._variables, self._split(flat), strict=True)
            ]
            loss, gradients = self._function(weights, *self._data)
            flat_gradient = np.concatenate(
                [
                    np.zeros(w.shape).ravel() if g is None else _as_array(g).ravel()
                    for g, w in zip(gradients, weights, strict=True)
                ]
            )
            self._last = flat.copy(), (float(_as_array(loss)), flat_gradient)
            self.evaluations += 1
        return self._last[1]

    def _split(self, flat):
        ends = np.cumsum([int(np.prod(v.shape)) for v in self._variables])
        parts = np.split(flat, ends[:-1])
        return [p.reshape(v.shape) for p, v in zip(parts, self._variables, strict=True)]

    def _loss(self, weights, x, y, sample_weight):
        model, values = self._model, zip(self._variables, weights, strict=True)
        with keras.StatelessScope(list(values), collect_losses=True):
            y_pred = model(x, training=False)
            return model.compute_loss(x, y, y_pred, sample_weight, training=False)


def _as_array(tensor):
    return ops.convert_to_numpy(ops.stop_gradient(ops.convert_to_tensor(tensor))).astype("float64")


def _tensorflow(loss, compiled):
    import tensorflow as tf

    def value_and_gradients(weights, *data):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            value = loss(weights, *data)
        return value, tape.gradient(value, weights)

    return tf.function(value_and_gradients, autograph=False) if compiled else value_and_gradients


def _jax(loss, compiled):
    import jax

    function = jax.value_and_grad(loss)
    return jax.jit(function) if compiled else function


def _torch(loss, compiled):
    import torch

    def value_and_gradients(weights, *data):
        with torch.enable_grad():
            weights = [w.requires_grad_(True) for w in weights]
            value = loss(weights, *data)
            return value, torch.autograd.grad(value, weights, allow_unused=True)

    return value_and_gradients


_BACKENDS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
