"""The base of optimizers: a subclass states its slots and the equation of one step."""

import itertools
import math
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.ops.precision import at_least_float32
from kcatalog.optimizers.sparse import dense
from kcatalog.types import LearningRate, Tensor


class Optimizer(keras.optimizers.Optimizer):
    """An optimizer whose step on one weight is an equation.

    Weight decay (decoupled, times the learning rate), clipping, moving average, gradient
    accumulation and loss scaling are Keras's and act around the equation.

    A subclass states:

    - `slots`: the variables kept beside each weight, as name -> what each holds before the first
      step: a number, "scalar" for one zero for the whole weight, or a function from the weight's
      shape to the shape of zeros.
    - `update(w, g, *slots, lr, t, **shared)`: the new weight and the new slots. It sees tensors
      of at least float32, and assigns nothing. Unless `elementwise` is False, each element's step
      depends on that element alone.
    - `shared(t)`: numbers that all weights share in a step, such as bias corrections, by the names
      that `update` takes them by. They are computed once a step, not once a weight.
    - `static(variable)`: what `update` takes of one weight and never changes, such as the axes of
      its units. Only where `elementwise` is False.
    - `across(groups, lr, t)`: more such numbers, from all weights of the step at once, before any
      of them moves: `groups` holds `(w, g, *slots)` of each, with gradients as `update` gets them
      (clipped, summed over replicas). It may assign variables of its own. On several replicas
      gradients are then summed twice, here and by Keras.

    `t` counts the steps: 1, 2, ... Micro-batches that are only accumulated are no steps.

    Args:
        learning_rate: `η`, the step size in [0, inf): a number, a schedule or a callable without
            arguments.
    """

    slots = {}
    elementwise = True

    def __init__(self, learning_rate: LearningRate = 0.001, **kwargs: Any):
        if not callable(learning_rate):
            checks.number(self, "learning_rate", learning_rate, "[0, inf)")
        super().__init__(learning_rate=learning_rate, **kwargs)
        self._step = _Step()

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        rate = config["learning_rate"]
        if isinstance(rate, float):  # read from a float32 variable: 0.1, not 0.10000000149
            config["learning_rate"] = float(str(np.float32(rate)))
        return config

    # --- what a subclass states ---------------------------------------------------------

    def shared(self, t: Tensor) -> dict[str, Any]:
        return {}

    def static(self, variable: keras.Variable) -> dict[str, Any]:
        return {}

    def across(self, groups: Any, lr: Tensor, t: Tensor) -> dict[str, Any]:
        return {}

    def update(self, w, g, *slots, lr, t):
        raise NotImplementedError

    # --- a step -------------------------------------------------------------------------

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self._slots = [self._slot(variables, *slot) for slot in self.slots.items()]

    def _slot(self, variables, name, start):
        if start == "scalar":
            shape_of = _scalar
        elif callable(start):
            shape_of = start
        else:
            return self.add_optimizer_variables(variables, name, keras.initializers.Constant(start))
        names = [f"{getattr(v, 'path', v.name).replace('/', '_')}_{name}" for v in variables]
        return [
            self.add_variable(shape_of(tuple(v.shape)), dtype=v.dtype, name=n)
            for v, n in zip(variables, names, strict=True)
        ]

    def apply(
        self, grads: list[Tensor], trainable_variables: list[keras.Variable] | None = None
    ) -> None:
        self._step.clear()
        super().apply(grads, trainable_variables)
        self._step.clear()

    def update_step(
        self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> None:
        """Take the step on one weight. Keras calls it."""
        self._step_together([(gradient, variable)], learning_rate)

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        """Take the step on all weights: on PyTorch on many small ones at once, as Keras's own do.

        Each operation costs some microseconds there, however small its weight is.
        """
        if type(self).across is not Optimizer.across:
            pairs = list(zip(grads, trainable_variables, strict=True))
            if keras.backend.backend() == "tensorflow":
                pairs = self._all_reduce_sum_gradients(pairs)
            groups = [self._group(g, v)[1] for g, v in pairs]
            lr = ops.cast(learning_rate, groups[0][0].dtype)
            t = ops.cast(self.iterations + 1, lr.dtype)
            self._step.across = self.across(groups, lr, t)
        if not self.elementwise or keras.backend.backend() != "torch":
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        for pairs in _groups(zip(grads, trainable_variables, strict=True)):
            self._step_together(pairs, learning_rate)

    def _group(self, gradient, variable):
        """Return a weight and its slots, as variables, and `(w, g, *slots)`, as tensors."""
        i = self._get_variable_index(variable)
        variables = [variable, *(slot[i] for slot in self._slots)]
        w, *slots = [ops.stop_gradient(at_least_float32(v)) for v in variables]
        return variables, (w, ops.cast(dense(gradient), w.dtype), *slots)

    def _step_together(self, pairs, learning_rate):
        """Take the step on several weights, given as pairs of gradient and weight."""
        places = [self._get_variable_index(v) for _, v in pairs]
        weights = [v for _, v in pairs]
        columns = [weights, *([slot[i] for i in places] for slot in self._slots)]
        w, *slots = [ops.stop_gradient(at_least_float32(_joined(c))) for c in columns]
        g = ops.cast(_joined([dense(g) for g, _ in pairs]), w.dtype)
        numbers = self._numbers(w.dtype, learning_rate)
        new = self.update(w, g, *slots, **numbers, **self.static(weights[0]))
        for column, value in zip(columns, new, strict=True):
            for variable, part in zip(column, _parted(value, column), strict=True):
                self.assign(variable, part)

    def _numbers(self, dtype, learning_rate):
        """Return the numbers of this step in a dtype, computed for its first weight."""
        dtype, numbers = keras.backend.standardize_dtype(dtype), self._step.numbers
        if dtype not in numbers:
            t, lr = ops.cast(self.iterations + 1, dtype), ops.cast(learning_rate, dtype)
            across = {k: ops.cast(x, dtype) for k, x in self._step.across.items()}
            numbers[dtype] = {"lr": lr, "t": t, **self.shared(t), **across}
        return numbers[dtype]


class _Step:
    """Holds the numbers of the step that `apply` is taking: by dtype, and those of all weights."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.numbers, self.across = {}, {}


_ELEMENTS = 2**18  # of weights that step together: 1 MB a tensor in float32, which stays in cache


def _groups(pairs):
    """Yield lists of pairs whose weights have one dtype and together at most `_ELEMENTS`."""
    filling = {}
    for pair in pairs:
        dtype, size = pair[1].dtype, math.prod(pair[1].shape)
        group, elements = filling.get(dtype, ([], 0))
        if group and elements + size > _ELEMENTS:
            yield group
            group, elements = [], 0
        filling[dtype] = [*group, pair], elements + size
    for group, _ in filling.values():
        yield group


def _joined(tensors):
    """Return tensors as one long vector; one alone as it is."""
    if len(tensors) == 1:
        return ops.convert_to_tensor(tensors[0])
    return ops.concatenate([ops.reshape(t, (-1,)) for t in tensors])


def _parted(vector, like):
    """Undo `_joined`: the parts of a vector in the shapes of these tensors."""
    if len(like) == 1:
        return [vector]
    ends = list(itertools.accumulate(math.prod(t.shape) for t in like))
    parts = ops.split(vector, ends[:-1])
    return [ops.reshape(part, t.shape) for part, t in zip(parts, like, strict=True)]


def _scalar(shape):
    return ()
