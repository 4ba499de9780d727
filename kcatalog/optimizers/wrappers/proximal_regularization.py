import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper, Part
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.sparsity import group_soft_threshold, soft_threshold
from kcatalog.optimizers.wrappers.delegate import Inner
from kcatalog.optimizers.wrappers.units import group_axes, is_table
from kcatalog.optimizers.wrappers.wrapper import Wrapper
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Efficient Online and Batch Learning Using Forward Backward Splitting",
        "Duchi, Singer",
        2009,
        "https://jmlr.org/papers/v10/duchi09a.html",
        "equations 2 and 3, sections 5.1 and 5.3",
    ),
    equation="w ← sign(w) max(|w| - η λ, 0)",
    tags=("wrapper",),
    space={
        "factor": Float(1e-6, 1e-2, log=True),
        "groups": Choice("weights", "units", "inputs", "heads"),
    },
    example=Example(
        {"inner": Part("keras.optimizers.SGD", learning_rate=0.1), "factor": 1e-6}
        | {"groups": "units"}
    ),
)
class ProximalRegularization(Wrapper):
    """Proximal regularization: L1 or the group lasso, with weights that become exactly zero.

    Gradient descent on `keras.regularizers.L1` or `kcatalog.regularizers.GroupLasso` makes weights
    step to and fro across zero. Here the inner optimizer steps on the loss alone, and a threshold
    follows that solves the penalty exactly, so small weights or whole groups are zero and stay
    so until the loss wants them. For models to prune without choosing a cut. Do not also give the
    layers a regularizer. For the sparse group lasso nest two of them, "weights" inside.

    Maths:
        After each update, with the learning rate `η` of that update:
        `w ← argmin over v of ‖v - w‖² / 2 + η λ Ω(v)`, with `λ` = `factor`. For "weights"
        `Ω = Σ |v|` and `w ← sign(w) max(|w| - η λ, 0)`. For groups of `p` weights
        `Ω = Σ_g √p ‖v_g‖` and `w_g ← w_g max(1 - η λ √p / ‖w_g‖, 0)`.

    Args:
        inner: The optimizer of the loss: an instance, a name such as `"adam"`, or a config.
        factor: `λ`, a number in [0, inf).
        groups: "weights" for L1; "units" for what goes into a unit or filter; "inputs" for what
            comes from an input or channel; "heads" for what a head holds in the kernels of
            `keras.layers.MultiHeadAttention` and `GroupQueryAttention`, and no other weights.
        names: Parts of paths of weights, a list of names; weights without any of these stay as the
            inner optimizer leaves them. None stands for all weights with two axes or more that
            are no lookup tables: no biases, gains and embeddings.

    Shapes:
        No slots.

    Behaviour:
        With plain SGD this is proximal gradient descent, and its fixed points are the minima of
        loss plus penalty. Momentum `β` makes a gradient move a weight `1 / (1 - β)` times, the
        threshold only once: multiply `factor` by as much. Adam rescales gradients and not the
        threshold, as AdamW its decay: `factor` then is a strength of its own, not that of a
        penalty. The inner weight decay acts before the threshold, and the weights' constraints act
        after it. The inner moving average, if any, takes the weights before the threshold.

    Example:
        The threshold is 0.1 · 5:

        >>> import keras
        >>> w = keras.Variable([[1.0, -0.5]])
        >>> optimizer = ProximalRegularization(keras.optimizers.SGD(0.1), factor=5.0)
        >>> optimizer.apply([keras.ops.zeros((1, 2))], [w])
        >>> print(keras.ops.convert_to_numpy(w.value).round(2) + 0.0)
        [[0.5 0. ]]
    """

    def __init__(
        self,
        inner: Inner,
        factor: float = 1e-4,
        groups: str = "weights",
        names: Sequence[str] | None = None,
        **kwargs: Any,
    ):
        super().__init__(inner, **kwargs)
        kinds = ("weights", "units", "inputs", "heads")
        self.factor = checks.number(self, "factor", factor, "[0, inf)")
        self.groups = checks.choice(self, "groups", groups, kinds)
        self.names = names if names is None else checks.names(self, "names", names)

    def proximal_step(
        self, weight: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> Tensor:
        if not self._is_regularized(variable):
            return weight
        w = at_least_float32(weight)
        t = self.factor * ops.cast(learning_rate, w.dtype)  # η λ
        if self.groups == "weights":
            return soft_threshold(w, t)
        axes = group_axes(variable, self.groups)
        if not axes:
            return weight
        p = math.prod(w.shape[a] for a in axes)
        return group_soft_threshold(w, p**0.5 * t, axes)

    def _is_regularized(self, variable):
        if self.names is None:
            return len(variable.shape) > 1 and not is_table(variable)
        path = getattr(variable, "path", variable.name)
        return any(name in path for name in self.names)
