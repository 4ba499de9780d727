from typing import Any

import keras

from kcatalog import checks
from kcatalog.card import Example, Int, Paper
from kcatalog.layers.embedding.position_embedding import PositionEmbedding
from kcatalog.layers.redrawn import redrawn
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
    space={"embedding_dim": Int(8, 512, log=True)},
    example=Example(
        {"vocabulary_size": 7, "sequence_length": 6, "embedding_dim": 4, "mask_zero": True},
        shape=(5,),
        predictions="tokens",
        classes=7,
    ),
)
class TokenAndPositionEmbedding(keras.layers.Layer):
    """Token ids as the sum of a trained vector for the token and one for its position.

    The first layer of a Transformer on text. With `rotary=True` or a `position_bias` in the blocks
    use `keras.layers.Embedding` alone.

    Maths:
        `y[n, t] = E[x[n, t]] + P[start_index + t]`, with weights `E`
        `(vocabulary_size, embedding_dim)` and `P` `(sequence_length, embedding_dim)`.

    Args:
        vocabulary_size: Number of token ids, an integer in [1, inf).
        sequence_length: The greatest length, an integer in [1, inf).
        embedding_dim: Number of features, an integer in [1, inf).
        embeddings_initializer: Initializer of `E` and `P`.
        embeddings_regularizer: Regularizer of `E` and `P`, or None.
        embeddings_constraint: Constraint on `E` and `P`, or None.
        mask_zero: Whether id 0 is padding, which the following layers then mask.

    Shapes:
        Input `(batch, steps)` of integers below `vocabulary_size`; output
        `(batch, steps, embedding_dim)`.

    Behaviour:
        Training and inference are the same. Deterministic. `call` takes a `start_index`, an integer
        or a scalar tensor, to continue a sequence. A sequence that is too long is refused. `E` and
        `P` are the layers `token_embedding` and `position_embedding`.

    Example:
        >>> from keras import ops
        >>> layer = TokenAndPositionEmbedding(3, 3, 3, embeddings_initializer="identity")
        >>> print(ops.convert_to_numpy(layer(ops.convert_to_tensor([[2, 1]])))[0])
        [[1. 0. 1.]
         [0. 2. 0.]]
    """

    def __init__(
        self,
        vocabulary_size: int,
        sequence_length: int,
        embedding_dim: int,
        embeddings_initializer: KerasObject = "uniform",
        embeddings_regularizer: KerasObject | None = None,
        embeddings_constraint: KerasObject | None = None,
        mask_zero: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = checks.integer(self, "vocabulary_size", vocabulary_size, "[1, inf)")
        self.sequence_length = checks.integer(self, "sequence_length", sequence_length, "[1, inf)")
        self.embedding_dim = checks.integer(self, "embedding_dim", embedding_dim, "[1, inf)")
        self.embeddings_initializer = checks.initializer(
            self, "embeddings_initializer", embeddings_initializer
        )
        self.embeddings_regularizer = checks.regularizer(
            self, "embeddings_regularizer", embeddings_regularizer
        )
        self.embeddings_constraint = checks.constraint(
            self, "embeddings_constraint", embeddings_constraint
        )
        self.mask_zero = checks.boolean(self, "mask_zero", mask_zero)
        self.supports_masking = True
        self.autocast = False  # ids may come as floats, of which half precision has few
        self.token_embedding = keras.layers.Embedding(
            vocabulary_size,
            embedding_dim,
            redrawn(self.embeddings_initializer),
            self.embeddings_regularizer,
            self.embeddings_constraint,
            mask_zero=mask_zero,
            dtype=self.dtype_policy,
            name="token_embedding",
        )
        self.position_embedding = PositionEmbedding(
            sequence_length,
            redrawn(self.embeddings_initializer),
            self.embeddings_regularizer,
            self.embeddings_constraint,
            dtype=self.dtype_policy,
            name="position_embedding",
        )

    def build(self, input_shape: Shape) -> None:
        checks.rank(self, input_shape, 2, "(batch, steps)")
        self.input_spec = keras.layers.InputSpec(ndim=2)
        self.token_embedding.build(input_shape)
        self.position_embedding.build((*input_shape, self.embedding_dim))

    def call(self, x: Tensor, start_index: int = 0) -> Tensor:
        e = self.token_embedding(x)
        return e + self.position_embedding(e, start_index=start_index)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None = None) -> Tensor | None:
        own = self.token_embedding.compute_mask(inputs)
        return previous_mask if own is None else own

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, self.embedding_dim)
