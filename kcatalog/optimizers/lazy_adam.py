from typing import Any

import keras
from keras import ops

from kcatalog.card import Example, Float, Paper
from kcatalog.ops.lookups import sum_repeated
from kcatalog.ops.precision import at_least_float32
from kcatalog.optimizers.moment_optimizer import MomentOptimizer
from kcatalog.optimizers.sparse import is_sparse, read_rows, write_rows
from kcatalog.optimizers.wrappers.units import is_table
from kcatalog.registry import component
from kcatalog.types import LearningRate, Tensor


@component(
    paper=Paper(
        "Adam: A Method for Stochastic Optimization",
        "Kingma, Ba",
        2015,
        "https://arxiv.org/abs/1412.6980",
        "algorithm 1, on the touched rows of tables",
    ),
    equation="Adam, on the rows of a table whose gradient is not 0",
    space={"learning_rate": Float(1e-4, 0.1, log=True)},
    example=Example({"learning_rate": 0.05, "beta_1": 0.8, "epsilon": 1e-6}),
)
class LazyAdam(MomentOptimizer):
    """Lazy Adam: of an embedding, only the rows that the batch has looked up are updated.

    Adam goes on moving every row of a table by its momentum, also rows that the batch does not
    contain, and reads and writes the whole table in every step. Lazy Adam leaves these rows and
    their moments alone. For large vocabularies, where rare words then keep the steps of their own
    gradients, and, on TensorFlow, for speed. Models without tables get plain Adam.

    Maths:
        `m ← β₁ m + (1 - β₁) g`, `v ← β₂ v + (1 - β₂) g²`,
        `w ← w - η (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + ε)`; for each row of a table only where
        the row's `g` is not 0.

    Args:
        beta_1: `β₁`, the decay of the mean of gradients, in [0, 1).
        beta_2: `β₂`, the decay of the mean of their squares, in [0, 1).
        epsilon: `ε`, added to the root, in (0, inf).

    Shapes:
        Two slots per weight, `m` and `v`, of the weight's shape.

    Behaviour:
        Tables are told by Keras's names for them (`embeddings`). On TensorFlow their gradients
        are `tf.IndexedSlices`: rows that were looked up more than once are summed first (Keras's
        own Adam sums their squares instead), and a step costs as much as the rows of the batch,
        whatever the size of the table. On JAX and PyTorch gradients are dense, as they are on
        TensorFlow when the table is also used otherwise or gradients are accumulated: a step then
        reads the whole table, with the same result. `t` counts all steps, as in TensorFlow Addons.
        `weight_decay` and `use_ema` act on all rows, and cost a pass over the table.

    Example:
        The second row is not looked up in the second step, and has no momentum:

        >>> import keras
        >>> w = keras.Variable([[0.0], [0.0]], name="embeddings")
        >>> optimizer = LazyAdam(0.1)
        >>> optimizer.apply([keras.ops.array([[2.0], [3.0]])], [w])
        >>> optimizer.apply([keras.ops.array([[2.0], [0.0]])], [w])
        >>> print(keras.ops.convert_to_numpy(w.value)[:, 0].round(4))
        [-0.2 -0.1]
    """

    elementwise = False  # of a table, rows step together

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)

    def update(self, w, g, m, v, lr, t, c1, c2):
        m = self.beta_1 * m + (1 - self.beta_1) * g
        v = self.beta_2 * v + (1 - self.beta_2) * g * g
        return w - lr * (m / c1) / (ops.sqrt(v / c2) + self.epsilon), m, v

    def update_step(
        self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> None:
        i = self._get_variable_index(variable)
        variables = [variable, *(slot[i] for slot in self._slots)]
        if is_sparse(gradient):
            rows, g = sum_repeated(gradient.indices, at_least_float32(gradient.values))
            old = [at_least_float32(read_rows(v, rows)) for v in variables]
            new = self._update_touched(old, g, learning_rate)
            for v, value in zip(variables, new, strict=True):
                write_rows(v, rows, value)
        elif is_table(self._trainable_variables[i]):
            old = [ops.stop_gradient(at_least_float32(v)) for v in variables]
            new = self._update_touched(old, ops.cast(gradient, old[0].dtype), learning_rate)
            for v, value in zip(variables, new, strict=True):
                self.assign(v, value)
        else:
            super().update_step(gradient, variable, learning_rate)

    def _update_touched(self, old, g, learning_rate):
        """Update the rows whose gradient is not 0 throughout."""
        w, *slots = old
        g = ops.cast(g, w.dtype)
        new = self.update(w, g, *slots, **self._numbers(w.dtype, learning_rate))
        touched = ops.any(g != 0, axis=tuple(range(1, len(g.shape))), keepdims=True)
        return [ops.where(touched, n, o) for n, o in zip(new, old, strict=True)]
