import math
from typing import Any

import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.layers.attention.attention_bias import AttentionBias
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Train Short, Test Long: Attention with Linear Biases Enables Input Length Extrapolation",
        "Press, Smith, Lewis",
        2021,
        "https://arxiv.org/abs/2108.12409",
        "section 3",
    ),
    tags=("shape-preserving",),
    space={"max_bias": Float(4.0, 16.0)},
    example=Example({"max_bias": 4.0}, shape=(3, 4, 5)),
)
class ALiBi(AttentionBias):
    """Attention with linear biases: a penalty in proportion to the distance of query and key.

    In place of position embeddings. It has no weights, and models trained on short sequences work
    on longer ones, since far steps count less. Each head forgets at its own rate.

    Maths:
        `y[h, t, s] = x[h, t, s] - m[h] |t - s|`, with slopes `m[h] = 2^(-max_bias (h + 1) / H)` of
        `H` heads. Where `H` is no power of two, the slopes are those of the next lower power of
        two, followed by every other one of twice as many, as in the authors' code.

    Args:
        max_bias: The last head's slope is `2^-max_bias`, a number in (0, inf).

    Example:
        With two heads the slopes are 1/16 and 1/256:

        >>> y = ALiBi()(ops.zeros((1, 2, 3, 3)))
        >>> print(ops.convert_to_numpy(y)[0, 0])
        [[ 0.     -0.0625 -0.125 ]
         [-0.0625  0.     -0.0625]
         [-0.125  -0.0625  0.    ]]
    """

    def __init__(self, max_bias: float = 8.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.max_bias = checks.number(self, "max_bias", max_bias, "(0, inf)")

    def bias(self, queries: Tensor, keys: Tensor) -> Tensor | None:
        m = ops.convert_to_tensor(self._slopes(self.heads).astype("float32"))
        distance = ops.abs(queries[:, None] - keys[None])
        return -m[:, None, None] * ops.cast(distance, "float32")

    def _slopes(self, heads):
        power = 2 ** int(math.log2(heads))
        m = 2.0 ** (-self.max_bias * np.arange(1, power + 1) / power)
        return m if power == heads else np.append(m, self._slopes(2 * power)[::2])[:heads]
