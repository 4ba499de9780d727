from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Paper
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding",
        "Devlin, Chang, Lee, Toutanova",
        2019,
        "https://arxiv.org/abs/1810.04805",
        "section 3, input representation",
    ),
    tags=("shape-preserving", "masking"),
    example=Example({"sequence_length": 8, "initializer": "uniform"}, shape=(5, 4)),
)
class PositionEmbedding(keras.layers.Layer):
    """Learned absolute position embedding: a trained vector for each step.

    Add it to the embedded tokens, as in BERT and GPT-2. It knows no step beyond
    `sequence_length`; for longer sequences than those in training use `RotaryEmbedding`, `ALiBi`
    or `SinusoidalPositionEncoding`. With token ids as input, `TokenAndPositionEmbedding` does both.

    Maths:
        `y[n, t] = P[start_index + t]`, with `P` the weight `(sequence_length, features)`.

    Args:
        sequence_length: Number of rows of `P`, the greatest length, an integer in [1, inf).
        initializer: Initializer of `P`.
        regularizer: Regularizer of `P`, or None.
        constraint: Constraint on `P`, or None.

    Shapes:
        Input `(batch, steps, features)`, of which only the shape is used; output the same.

    Behaviour:
        Training and inference are the same. Deterministic. A mask is passed on; add the result by
        `keras.layers.Add`, which keeps the mask too. `call` takes a `start_index`, an integer or a
        scalar tensor, to continue a sequence. A sequence that is too long is refused.

    Example:
        >>> layer = PositionEmbedding(sequence_length=3, initializer="identity")
        >>> print(ops.convert_to_numpy(layer(ops.zeros((1, 2, 3)), start_index=1))[0])
        [[0. 1. 0.]
         [0. 0. 1.]]
    """

    def __init__(
        self,
        sequence_length: int,
        initializer: KerasObject = "glorot_uniform",
        regularizer: KerasObject | None = None,
        constraint: KerasObject | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.sequence_length = checks.integer(self, "sequence_length", sequence_length, "[1, inf)")
        self.initializer = checks.initializer(self, "initializer", initializer)
        self.regularizer = checks.regularizer(self, "regularizer", regularizer)
        self.constraint = checks.constraint(self, "constraint", constraint)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        checks.rank(self, input_shape, 3, "(batch, steps, features)")
        features = checks.known_axis(self, input_shape, -1, "features")
        self._check_length(input_shape, 0)
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: features})
        self._P = self.add_weight(
            (self.sequence_length, features),
            self.initializer,
            name="embeddings",
            regularizer=self.regularizer,
            constraint=self.constraint,
        )

    def call(self, x: Tensor, start_index: int = 0) -> Tensor:
        self._check_length(x.shape, start_index)
        steps, features = ops.shape(x)[1], x.shape[-1]
        p = ops.slice(ops.convert_to_tensor(self._P), (start_index, 0), (steps, features))
        return ops.broadcast_to(p, ops.shape(x))

    def _check_length(self, shape, start_index):
        known = isinstance(start_index, int) and shape[1] is not None
        if known and not 0 <= start_index <= self.sequence_length - shape[1]:
            steps = f"at most {self.sequence_length} steps, from start_index={start_index} on"
            fix = "Shorten the sequence, or set a greater `sequence_length`."
            raise checks.error(self, "input_shape", f"a shape of {steps}", tuple(shape), fix)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
