"""A penalty for outputs that change quickly with the inputs."""

import keras
from keras import ops

from kcatalog import checks
from kcatalog.ops.gradients import gradients
from kcatalog.ops.replicas import replica_context
from kcatalog.training.step import compiled_optimizer, recorded


class JacobianPenalty:
    """Jacobian regularization: adds the squared slope of the outputs to a model's training loss.

    A network whose outputs change little with its inputs is less easily fooled by noise and by
    small adversarial changes. For continuous inputs; for classification apply it to a model that
    ends in logits. Costs about one more step of training for each projection.

    From "Robust Learning with Jacobian Regularization" (Hoffman, Roberts, Yaida, 2019,
    https://arxiv.org/abs/1908.02729), algorithm 1.

    Maths:
        `L + λ mean over samples of ‖∂y/∂x‖²`, the sum of squares over all outputs and inputs of a
        sample, with `λ` = `factor` (the paper has `λ / 2`). It is estimated by
        `C / n Σ ‖∂(v · y)/∂x‖²` of `n` = `projections` random unit vectors `v`, with `C` outputs.

    Args:
        factor: `λ`, the weight of the penalty, a number in [0, inf).
        projections: `n`, an integer in [1, inf), or None for all outputs one by one: exact, at
            the price of a step for each output.
        seed: of the random vectors, an integer in [0, inf). They also depend on the step.

    Behaviour:
        `attach` acts on one compiled model; call it again after `load_model`, which returns the
        model without it. The penalty is part of the reported training loss, but not of the
        validation loss. Both the penalty and the loss see one dropout mask. Works with `SAM`,
        loss scaling and replicas. Sample weights do not weight it.

    Example:
        The slopes of `y = 3 x` are 3, so the loss is 0 plus 0.1 times 9:

        >>> import numpy as np
        >>> line = keras.layers.Dense(1, kernel_initializer=keras.initializers.Constant(3.0))
        >>> model = keras.Sequential([keras.Input((1,)), line])
        >>> model.compile(keras.optimizers.SGD(0.0), "mse")
        >>> model = JacobianPenalty(factor=0.1).attach(model)
        >>> loss = model.train_on_batch(np.array([[1.0]]), np.array([[3.0]]))
        >>> print(f"{loss:.2f}")
        0.90
    """

    def __init__(self, factor: float = 0.01, projections: int = 1, seed: int = 0):
        self.factor = checks.number(self, "factor", factor, "[0, inf)")
        self.projections = projections
        if projections is not None:
            checks.integer(self, "projections", projections, "[1, inf)")
        self.seed = checks.integer(self, "seed", seed, "[0, inf)")

    def attach(self, model: keras.Model) -> keras.Model:
        """Add the penalty to a compiled model's training loss, and return the model.

        A penalty that was attached before is replaced.
        """
        compiled_optimizer(model, "JacobianPenalty")
        running = recorded(model, "JacobianPenalty")
        compute_loss = type(model).compute_loss.__get__(model)

        def with_penalty(x=None, y=None, y_pred=None, sample_weight=None, training=True):
            loss = compute_loss(x, y, y_pred, sample_weight, training=training)
            batch = getattr(running, "batch", None)
            if not training or batch is None:
                return loss
            return loss + ops.cast(self.factor * self._penalty(batch, x), loss.dtype)

        model.compute_loss = with_penalty
        model.train_function = None  # Keras makes it anew
        return model

    def _penalty(self, batch, x):
        """Return the mean over the samples of `‖∂y/∂x‖²`."""
        flat = [ops.convert_to_tensor(part) for part in keras.tree.flatten(x)]
        if not all(keras.backend.is_float_dtype(_dtype(part)) for part in flat):
            kinds = ", ".join(_dtype(part) for part in flat)
            raise ValueError(f"JacobianPenalty: inputs must be floats to have slopes, not {kinds}.")

        def outputs(inputs):
            y = keras.tree.flatten(batch.output(keras.tree.pack_sequence_as(x, inputs)))
            rows = [ops.reshape(part, (ops.shape(part)[0], -1)) for part in y]
            return ops.concatenate([ops.cast(part, "float32") for part in rows], axis=-1)

        def square(vector):
            """Return the mean over samples of `‖∂(v · y)/∂x‖²`, with `v = vector(y)`."""
            found = gradients(lambda *inputs: _dot(vector, outputs(inputs)), flat, True)
            squares = [ops.square(ops.cast(g, "float32")) for g in found if g is not None]
            return sum(map(ops.sum, squares)) / ops.cast(ops.shape(flat[0])[0], "float32")

        if self.projections is None:
            count = ops.stop_gradient(outputs(flat)).shape[-1]
            total = sum(square(_one_of(c, count)) for c in range(count))
        else:
            seeds = _Seeds(self.seed, batch.iterations)
            total = sum(square(_random(seeds)) for _ in range(self.projections)) / self.projections
        context = replica_context()
        return total if context is None else total / context.num_replicas_in_sync


def _dot(vector, y):
    return ops.sum(ops.stop_gradient(vector(y)) * y)


def _one_of(c, count):
    return lambda y: ops.one_hot(c, count, dtype="float32")


def _random(seeds):
    """Return a function that draws, for each row, a vector of length `√C`, with `C` columns."""

    def vector(y):
        v = keras.random.normal(ops.shape(y), seed=seeds)
        square = ops.mean(ops.square(v), axis=-1, keepdims=True)
        return v * ops.rsqrt(ops.maximum(square, 1e-12))

    return vector


def _dtype(x):
    return keras.backend.standardize_dtype(x.dtype)


class _Seeds(keras.random.SeedGenerator):
    """Seeds told from the step and a counter: other ones at each step."""

    def __init__(self, seed, iterations):
        self._initial_seed = self._seed = seed  # no variable: nothing to save
        self._iterations, self._count = iterations, 0

    def next(self, ordered=True):
        self._count += 1
        dtype = "uint32" if keras.backend.backend() == "jax" else "int32"
        first = ops.convert_to_tensor(self._seed + 7919 * self._count, dtype)
        return ops.stack([first, ops.cast(self._iterations, dtype)])
