"""The training step that computes a second gradient of its batch, on each backend.

Keras's own `train_step` stays: it computes the first gradient, updates metrics and statistics, and
hands the gradient to the optimizer's `apply` (on JAX `stateless_apply`). There the second one takes
its place. Only attributes of these two objects are set, so a saved model knows nothing of it.
"""

import threading
from contextlib import ExitStack
from typing import Any

import keras
from keras import ops

from kcatalog.ops.gradients import RandomNumbers, gradients
from kcatalog.ops.replicas import sum_over_replicas
from kcatalog.optimizers.sparse import dense
from kcatalog.optimizers.wrappers.delegate import chain
from kcatalog.optimizers.wrappers.sharpness_aware import SharpnessAware
from kcatalog.types import Tensor


def attach(model: keras.Model) -> keras.Model:
    """Let a compiled model's training step compute the gradients that its optimizer needs.

    Call it after `compile` with `kcatalog.optimizers.SAM` or `ASAM`, alone, inside another wrapper
    or inside loss scaling, and again after `load_model`. With any other optimizer it changes
    nothing, so it may stand in any script.

    Args:
        model: a compiled Keras model with Keras's own `train_step`.

    Returns:
        The same model.

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.1), "mse")
    >>> attach(model) is model
    True
    """
    optimizer = compiled_optimizer(model, "attach")
    rules = [o for o in chain(optimizer) if isinstance(o, SharpnessAware)]
    if not rules:
        return model
    running = recorded(model, "attach")
    name, place = ("stateless_apply", 1) if keras.backend.backend() == "jax" else ("apply", 0)
    apply = getattr(type(optimizer), name).__get__(optimizer)

    def apply_second(*args, **kwargs):
        args = [*args, *kwargs.values()]  # in the order of the signature, as Keras gives them
        batch = getattr(running, "batch", None)
        with ExitStack() as stack:
            if batch is not None:  # else it is a custom loop's
                args[place] = batch.second_gradients(rules, args[place], args[place + 1])
                for rule in rules:
                    stack.enter_context(rule.second_gradients())
            return apply(*args)

    if getattr(vars(optimizer).get(name), "running", None) is not running:
        apply_second.running = running
        setattr(optimizer, name, apply_second)
        model.train_function = None  # Keras makes it anew
    return model


def compiled_optimizer(model: keras.Model, who: str) -> keras.optimizers.Optimizer:
    """Return a model's optimizer, or raise for a model that is not compiled."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        raise ValueError(f"{who}: the model has no optimizer. Call model.compile(...) before it.")
    return optimizer


def recorded(model: keras.Model, who: str) -> Any:
    """Let a model's training step record its `Batch`, as `batch` of what is returned.

    The record is one for each thread, since `tf.distribute` runs each replica's step in its own.
    """
    if type(model).train_step is not keras.Model.train_step:
        raise ValueError(
            f"{who}: {type(model).__name__} has a `train_step` of its own, whose loss is unknown "
            "here. Compute what you need in it: `kcatalog show SAM` says how."
        )
    if hasattr(model.train_step, "running"):
        return model.train_step.running
    running, train_step = threading.local(), model.train_step

    def step(*args):
        running.batch = Batch(model, *args)
        try:
            return train_step(*args)
        finally:
            running.batch = None

    step.running = running
    model.train_step = step
    return running


class Batch:
    """The batch of a step, with the random numbers and, on JAX, the state before it.

    Attributes:
        state: pairs of a variable and its value.
        iterations: how many steps the optimizer has made.
    """

    def __init__(self, model: keras.Model, *state_and_data: Any):
        self._model = model
        *states, data = state_and_data
        self._data = keras.utils.unpack_x_y_sample_weight(data)
        self._numbers = RandomNumbers()
        if states:  # on JAX: trainable, not trainable, the optimizer's, the metrics'
            kinds = (
                model.non_trainable_variables,
                model.optimizer.variables,
                model.metrics_variables,
            )
            pairs = zip(kinds, states[0][1:], strict=True)
            self.state = [pair for v, values in pairs for pair in zip(v, values, strict=True)]
        else:  # seeds; nothing else that the first pass changes has a part in the second
            seeds = [v for v in model.non_trainable_variables if "int" in v.dtype]
            self.state = [(v, ops.copy(v.value)) for v in seeds]
        with keras.StatelessScope(self.state):
            self.iterations = ops.convert_to_tensor(model.optimizer.iterations)

    def output(self, x: Tensor) -> Tensor:
        """Return the model's output for `x` in training, with the step's random numbers."""
        values = [*((v, v.value) for v in self._model.variables), *self.state]
        with keras.StatelessScope(values), self._numbers.again():
            return self._model(x, training=True)

    def second_gradients(
        self, rules: Any, grads: list[Tensor], variables: list[keras.Variable]
    ) -> list[Tensor]:
        """Return the gradients uphill; of several rules, the innermost's point comes first."""
        weights = self._model.trainable_variables
        moved = [not getattr(v, "overwrite_with_gradient", False) for v in weights]
        for rule in reversed(rules):
            known = [g is not None and m for g, m in zip(grads, moved, strict=True)]
            dense_ones = [dense(g) for g, k in zip(grads, known, strict=True) if k]
            given = iter(sum_over_replicas(dense_ones))
            whole = [next(given) if k else None for k in known]
            grads = gradients(self._loss, rule.perturbed(whole, variables))
        return grads

    def _loss(self, *weights):
        model, (x, y, sample_weight) = self._model, self._data
        values = [*zip(model.trainable_variables, weights, strict=True), *self.state]
        with keras.StatelessScope(values, collect_losses=True), self._numbers.again():
            y_pred = model(x, training=True)
            loss = model.compute_loss(x, y, y_pred, sample_weight, training=True)
            return model.optimizer.scale_loss(loss)
