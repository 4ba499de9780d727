import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.ops import seeds
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Dynamical Isometry and a Mean Field Theory of CNNs: How to Train 10,000-Layer Vanilla "
        "Convolutional Neural Networks",
        "Xiao, Bahri, Sohl-Dickstein, Schoenholz, Pennington",
        2018,
        "https://arxiv.org/abs/1806.05393",
        "algorithm 1",
    ),
    equation="K[centre] = g Q,  0 elsewhere",
    space={"gain": Float(0.5, 2.0, log=True)},
    example=Example({"gain": 2.0, "seed": 7}, shape=(3, 3, 2, 4)),
)
class DeltaOrthogonal(keras.initializers.Initializer):
    """Delta-orthogonal convolution kernels: an orthogonal matrix in the middle, zeros around it.

    Such a convolution keeps the length of its input exactly, wherever the input's energy lies, and
    very deep plain CNNs start to learn without skip connections or normalization. An orthogonal
    kernel (`keras.initializers.Orthogonal`) keeps lengths only on average. With residual
    connections or batch normalization it gains little.

    Maths:
        `K[c] = g Q` at the centre `c` of the kernel and 0 elsewhere, with `g` = `gain` and a random
        `Q` of shape (inputs, units) with orthonormal rows, `Q Qᵀ = I`.

    Args:
        gain: `g`, a number in (0, inf). With ReLU √2; with tanh 1.
        seed: An integer, a `keras.random.SeedGenerator`, or None for one drawn at construction.

    Shapes:
        `(..., inputs, units)`, the kernel of a convolution over one axis or more, or of a dense
        layer, with at least as many units as inputs.

    Behaviour:
        `Q` is drawn evenly from all such matrices, in float32. Of an even kernel size the centre is
        the first of the two middle places. Fewer units than inputs cannot keep lengths: that is an
        error here, as in the paper. Like Keras's own: the same initializer with an integer seed or
        None draws the same values each time.

    Example:
        >>> K = DeltaOrthogonal(seed=0)((3, 2, 4))
        >>> float(ops.sum(ops.abs(K[0]))), [round(float(v), 4) for v in ops.sum(K[1] ** 2, axis=1)]
        (0.0, [1.0, 1.0])
    """

    def __init__(self, gain: float = 1.0, seed: int | keras.random.SeedGenerator | None = None):
        self.gain = checks.number(self, "gain", gain, "(0, inf)")
        self.seed = seeds.seed(self, seed)
        self._drawn_seed = seeds.drawn(seed)

    def __call__(self, shape: Shape, dtype: str | None = None) -> Tensor:
        shape = tuple(shape)
        if len(shape) < 2 or shape[-2] > shape[-1]:
            rule = "(..., inputs, units) with at least as many units as inputs"
            fix = "Use keras.initializers.Orthogonal for this layer."
            raise checks.error(self, "shape", rule, shape, fix)
        *places, inputs, units = shape
        a = keras.random.normal((units, inputs), dtype="float32", seed=self._drawn_seed)
        q, r = ops.qr(a)
        q = q * ops.sign(ops.diagonal(r))  # so that Q is evenly distributed
        K = ops.reshape(self.gain * ops.transpose(q), [1] * len(places) + [inputs, units])
        around = [((n - 1) // 2, n // 2) for n in places] + [(0, 0), (0, 0)]
        return ops.cast(ops.pad(K, around), dtype or keras.config.floatx())
