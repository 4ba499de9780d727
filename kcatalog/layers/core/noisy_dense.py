from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Int, Paper
from kcatalog.ops.precision import as_floats
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Noisy Networks for Exploration",
        "Fortunato, Azar, Piot, Menick, Osband, Graves, Mnih, Munos, Hassabis, Pietquin, Blundell, "
        "Legg",
        2017,
        "https://arxiv.org/abs/1706.10295",
        "equations 9 to 11, section 3.2",
    ),
    equation="y = φ(x (μ + σ ε) + μ' + σ' ε'),  ε ~ N(0, 1) in training",
    tags=("random", "masking"),
    space={
        "units": Int(8, 256, log=True),
        "sigma": Float(0.1, 1.0),
        "use_factorised": Choice(True, False),
    },
    example=Example({"units": 4, "sigma": 0.4, "seed": 1}, shape=(5, 3)),
)
class NoisyDense(keras.layers.Layer):
    """Dense layer whose weights carry noise of a learned size.

    For the last layers of agents in reinforcement learning, which then explore where they are
    unsure, in place of random actions. As a regularizer of supervised learning
    `keras.layers.Dropout` is cheaper and as good.

    Maths:
        `y = φ(x (μ + σ ε) + μ' + σ' ε')`, with learned `μ`, `σ` and standard normal `ε`: one for
        each weight, or, where `use_factorised`, `ε_ij = f(a_i) f(b_j)`, `ε'_j = f(b_j)` with
        `f(a) = sign(a) √|a|` and one `a` for each input, one `b` for each unit; `φ` = `activation`.

    Args:
        units: Number of outputs, an integer in [1, inf).
        sigma: `σ` starts at `sigma / √features` where `use_factorised`, else at 0.017; a number in
            [0, inf).
        use_factorised: Whether noise is made of one number for each input and unit, which takes
            fewer random numbers.
        activation: `φ`, a Keras activation by name, or a function.
        use_bias: Whether there are `μ'` and `σ'`.
        kernel_regularizer: Regularizer of `μ` and `σ`, or None.
        bias_regularizer: Regularizer of `μ'` and `σ'`, or None.
        kernel_constraint: Constraint on `μ` and `σ`, or None.
        bias_constraint: Constraint on `μ'` and `σ'`, or None.
        seed: Seed of the noise and of the start of `μ`, an integer in [0, inf), or None.

    Shapes:
        Input `(batch, ..., features)`, output `(batch, ..., units)`.

    Behaviour:
        In training each call draws new noise, one for the whole batch. At inference there is none,
        unless `reset_noise()` drew some: an agent acts with that until the next `reset_noise()` or
        `remove_noise()`. In TensorFlow Addons noise is drawn by `reset_noise()` alone, in training
        too. A mask is passed on.

    Example:
        >>> layer = NoisyDense(units=2, seed=0)
        >>> x = keras.ops.ones((1, 3))
        >>> plain = keras.ops.convert_to_numpy(layer(x))
        >>> layer.reset_noise()
        >>> noisy = keras.ops.convert_to_numpy(layer(x))
        >>> layer.remove_noise()
        >>> again = keras.ops.convert_to_numpy(layer(x))
        >>> bool((noisy == plain).any()), bool((again == plain).all())
        (False, True)
    """

    def __init__(
        self,
        units: int,
        sigma: float = 0.5,
        use_factorised: bool = True,
        activation: KerasObject | None = None,
        use_bias: bool = True,
        kernel_regularizer: KerasObject | None = None,
        bias_regularizer: KerasObject | None = None,
        kernel_constraint: KerasObject | None = None,
        bias_constraint: KerasObject | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = checks.integer(self, "units", units, "[1, inf)")
        self.sigma = checks.number(self, "sigma", sigma, "[0, inf)")
        self.use_factorised = checks.boolean(self, "use_factorised", use_factorised)
        self.activation = checks.activation(self, "activation", activation)
        self.use_bias = checks.boolean(self, "use_bias", use_bias)
        self.kernel_regularizer = checks.regularizer(self, "kernel_regularizer", kernel_regularizer)
        self.bias_regularizer = checks.regularizer(self, "bias_regularizer", bias_regularizer)
        self.kernel_constraint = checks.constraint(self, "kernel_constraint", kernel_constraint)
        self.bias_constraint = checks.constraint(self, "bias_constraint", bias_constraint)
        self.seed = checks.integer(self, "seed", seed, "[0, inf)", optional=True)
        self._seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        features = checks.channels_shape(self, input_shape, -1)[0]
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: features})
        if self.use_factorised:
            limit, σ, noise = features**-0.5, self.sigma * features**-0.5, (features,)
        else:
            limit, σ, noise = (3 / features) ** 0.5, 0.017, (features, self.units)
        self._add("kernel", (features, self.units), limit, σ, self.seed)
        if self.use_bias:
            self._add("bias", (self.units,), limit, σ, None if self.seed is None else self.seed + 1)
        self._noise = [
            self.add_weight(shape, "zeros", trainable=False, name=name)
            for name, shape in (("noise_inputs", noise), ("noise_units", (self.units,)))
        ]

    def _add(self, kind, shape, limit, σ, seed):
        """Add `μ` and `σ` of the kernel or the bias."""
        starts = {
            "mu": keras.initializers.RandomUniform(-limit, limit, seed),
            "sigma": keras.initializers.Constant(σ),
        }
        for name, start in starts.items():
            weight = self.add_weight(
                shape,
                start,
                regularizer=getattr(self, f"{kind}_regularizer"),
                constraint=getattr(self, f"{kind}_constraint"),
                name=f"{name}_{kind}",
            )
            setattr(self, f"{name}_{kind}", weight)

    def call(self, x: Tensor, training: bool | None = False) -> Tensor:
        x = as_floats(x, self.compute_dtype)
        a, b = self._draw(x.dtype) if training else (ops.cast(n, x.dtype) for n in self._noise)
        ε = a[:, None] * b if self.use_factorised else a
        y = ops.matmul(x, self.mu_kernel + self.sigma_kernel * ε)
        if self.use_bias:
            y = y + self.mu_bias + self.sigma_bias * b
        return self.activation(y)

    def _draw(self, dtype):
        """Return noise of inputs and units, or of weights and units."""
        draws = [keras.random.normal(n.shape, seed=self._seed_generator) for n in self._noise]
        if self.use_factorised:
            draws = [ops.sign(n) * ops.sqrt(ops.abs(n)) for n in draws]
        return [ops.cast(n, dtype) for n in draws]

    def reset_noise(self) -> None:
        """Draw noise for calls that are not training."""
        for noise, drawn in zip(self._noise, self._draw(self.variable_dtype), strict=True):
            noise.assign(drawn)

    def remove_noise(self) -> None:
        """Take the noise of `reset_noise` away."""
        for noise in self._noise:
            noise.assign(ops.zeros(noise.shape))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)
