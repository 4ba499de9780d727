"""Classes as people write them for themselves: no card, no house rules, Keras alone."""

import math

import keras
import numpy as np
from keras import ops


class FocalLoss(keras.losses.Loss):
    """Binary focal loss on probabilities, whose arguments are lost when it is saved."""

    def __init__(self, gamma=2.0, alpha=0.25, name="focal_loss"):
        super().__init__(name=name)
        self.gamma = gamma
        self.alpha = alpha

    def call(self, y_true, y_pred):
        p = ops.clip(y_pred, 1e-6, 1 - 1e-6)
        positive = self.alpha * (1 - p) ** self.gamma * y_true * ops.log(p)
        negative = (1 - self.alpha) * p**self.gamma * (1 - y_true) * ops.log(1 - p)
        return -ops.mean(positive + negative, axis=-1)


class CharbonnierLoss(keras.losses.Loss):
    """Smooth absolute error, computed in float32 whatever it is given."""

    def __init__(self, epsilon=1e-3, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def call(self, y_true, y_pred):
        error = ops.cast(y_true, "float32") - ops.cast(y_pred, "float32")
        return ops.mean(ops.sqrt(ops.square(error) + self.epsilon**2), axis=-1)

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


class RootMeanSquaredLoss(keras.losses.Loss):
    """Root of the mean squared error of a sample, whose slope at zero is infinite."""

    def call(self, y_true, y_pred):
        return ops.sqrt(ops.mean(ops.square(y_true - y_pred), axis=-1))


class DropPathLayer(keras.layers.Layer):
    """Drops whole samples of a residual branch at random."""

    def __init__(self, rate=0.5, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, x, training=False):
        if not training:
            return x
        shape = (ops.shape(x)[0],) + (1,) * (len(x.shape) - 1)
        kept = keras.random.uniform(shape, seed=self.generator, dtype=x.dtype) >= self.rate
        return x * ops.cast(kept, x.dtype) / (1 - self.rate)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


class Sampling(keras.layers.Layer):
    """The reparametrization of a variational autoencoder, random at inference too."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs):
        mean, log_variance = inputs
        noise = keras.random.normal(ops.shape(mean), dtype=mean.dtype, seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * noise


class ResidualBlock(keras.layers.Layer):
    """Two convolutions with batch normalization around a shortcut, and no `build`."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.conv1 = keras.layers.Conv2D(filters, 3, padding="same")
        self.norm1 = keras.layers.BatchNormalization()
        self.conv2 = keras.layers.Conv2D(filters, 3, padding="same")
        self.norm2 = keras.layers.BatchNormalization()

    def call(self, x, training=False):
        y = ops.relu(self.norm1(self.conv1(x), training=training))
        return ops.relu(self.norm2(self.conv2(y), training=training) + x)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


class TransformerDecoderBlock(keras.layers.Layer):
    """Cross-attention and a feed-forward network; takes queries and a memory."""

    def __init__(self, width, heads, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.heads = heads
        self.attention = keras.layers.MultiHeadAttention(heads, width // heads)
        self.norm1 = keras.layers.LayerNormalization()
        self.norm2 = keras.layers.LayerNormalization()
        self.feed = keras.Sequential(
            [keras.layers.Dense(2 * width, "gelu"), keras.layers.Dense(width)]
        )

    def call(self, queries, memory, training=False):
        x = self.norm1(queries + self.attention(queries, memory, training=training))
        return self.norm2(x + self.feed(x))

    def get_config(self):
        return {**super().get_config(), "width": self.width, "heads": self.heads}


class AttentionPooling(keras.layers.Layer):
    """A weighted mean over steps that reads masks and returns its weights too."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape):
        self.score = self.add_weight((input_shape[-1],), "glorot_uniform", name="score")

    def call(self, x, mask=None):
        scores = ops.tanh(ops.sum(x * self.score, axis=-1))
        if mask is not None:
            scores = ops.where(mask, scores, -1e4)
        weights = ops.softmax(scores, axis=-1)
        return ops.sum(x * weights[..., None], axis=1)

    def compute_mask(self, inputs, mask=None):
        return None


class AttentionThatIgnoresPadding(AttentionPooling):
    """Says that it takes masks, and averages over padding."""

    def call(self, x, mask=None):
        return ops.sum(x * ops.softmax(ops.sum(x * self.score, axis=-1))[..., None], axis=1)


class KeepsItsAttention(AttentionPooling):
    """Keeps the last weights for a plot."""

    def call(self, x, mask=None):
        self.last_weights = ops.softmax(ops.sum(x * self.score, axis=-1), axis=-1)
        return ops.sum(x * self.last_weights[..., None], axis=1)


class RunningStandardization(keras.layers.Layer):
    """Standardizes with a running mean that inference moves as well."""

    def build(self, input_shape):
        self.mean = self.add_weight((input_shape[-1],), "zeros", trainable=False, name="mean")

    def call(self, x):
        axes = tuple(range(len(x.shape) - 1))
        self.mean.assign(0.99 * self.mean + 0.01 * ops.mean(x, axis=axes))
        return x - self.mean


class TokenAndPositionEmbedding(keras.layers.Layer):
    """Embeddings of ids and of their places."""

    def __init__(self, length, vocabulary, width, **kwargs):
        super().__init__(**kwargs)
        self.length, self.vocabulary, self.width = length, vocabulary, width
        self.tokens = keras.layers.Embedding(vocabulary, width)
        self.places = keras.layers.Embedding(length, width)

    def call(self, ids):
        return self.tokens(ids) + self.places(ops.arange(self.length))

    def get_config(self):
        own = {"length": self.length, "vocabulary": self.vocabulary, "width": self.width}
        return {**super().get_config(), **own}


class F1(keras.metrics.Metric):
    """F1 score at a threshold of one half, from precision and recall."""

    def __init__(self, name="f1", **kwargs):
        super().__init__(name=name, **kwargs)
        self.precision = keras.metrics.Precision()
        self.recall = keras.metrics.Recall()

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.precision.update_state(y_true, y_pred, sample_weight)
        self.recall.update_state(y_true, y_pred, sample_weight)

    def result(self):
        p, r = self.precision.result(), self.recall.result()
        return 2 * p * r / (p + r + keras.config.epsilon())

    def reset_state(self):
        self.precision.reset_state()
        self.recall.reset_state()


class F1OfLastBatch(keras.metrics.Metric):
    """F1 score that divides by nothing where there is none, and forgets earlier batches."""

    def __init__(self, name="f1_last", **kwargs):
        super().__init__(name=name, **kwargs)
        self.hits = self.add_weight(name="hits", initializer="zeros")
        self.wrong = self.add_weight(name="wrong", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, p = ops.cast(y_true, "float32"), ops.cast(ops.round(y_pred), "float32")
        self.hits.assign(ops.sum(y_true * p))
        self.wrong.assign(ops.sum(ops.abs(y_true - p)))

    def result(self):
        return 2 * self.hits / (2 * self.hits + self.wrong)


class SignMomentum(keras.optimizers.Optimizer):
    """The sign of a momentum as step, with slots of its own."""

    def __init__(self, learning_rate=1e-4, beta_1=0.9, beta_2=0.99, name="sign_momentum", **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.momenta = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient, variable, learning_rate):
        m = self.momenta[self._get_variable_index(variable)]
        g, rate = ops.cast(gradient, variable.dtype), ops.cast(learning_rate, variable.dtype)
        self.assign_sub(variable, rate * ops.sign(self.beta_1 * m + (1 - self.beta_1) * g))
        self.assign(m, self.beta_2 * m + (1 - self.beta_2) * g)

    def get_config(self):
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2}


class CosineRestarts(keras.optimizers.schedules.LearningRateSchedule):
    """A cosine that starts anew every `period` steps."""

    def __init__(self, rate=0.1, period=50):
        self.rate = rate
        self.period = period

    def __call__(self, step):
        place = ops.cast(step, "float32") % self.period / self.period
        return self.rate * 0.5 * (1 + ops.cos(math.pi * place))

    def get_config(self):
        return {"rate": self.rate, "period": self.period}


class InverseRoot(keras.optimizers.schedules.LearningRateSchedule):
    """The rate of the first transformer, infinite at step 0 and without a config."""

    def __init__(self, rate=0.1):
        self.rate = rate

    def __call__(self, step):
        return self.rate / ops.sqrt(ops.cast(step, "float32"))


class OffDiagonal(keras.regularizers.Regularizer):
    """Penalizes correlated columns, in NumPy constants of its own."""

    def __init__(self, factor=0.01):
        self.factor = factor

    def __call__(self, w):
        w = ops.reshape(w, (-1, w.shape[-1]))
        gram = ops.matmul(ops.transpose(w), w)
        off = 1.0 - np.eye(w.shape[-1], dtype="float32")
        return self.factor * ops.sum(ops.square(ops.multiply(gram, off)))

    def get_config(self):
        return {"factor": self.factor}


# How each is checked, and the checks that must fail for it: all others pass.
STRANGERS = {
    FocalLoss: ({}, {"config_complete", "config_round_trip"}),
    CharbonnierLoss: ({}, set()),
    RootMeanSquaredLoss: (
        {},
        {f"degenerate_input-{d}" for d in ("float32", "float16", "bfloat16")},
    ),
    DropPathLayer: ({}, set()),
    Sampling: ({}, {"extreme_input-huge"}),
    ResidualBlock: ({"args": {"filters": 4}, "shape": (6, 6, 4)}, set()),
    TransformerDecoderBlock: (
        {"args": {"width": 4, "heads": 2}, "shape": ((5, 4), (3, 4))},
        set(),
    ),
    AttentionPooling: ({"shape": (5, 3)}, set()),
    AttentionThatIgnoresPadding: ({"shape": (5, 3)}, {"padding_ignored"}),
    KeepsItsAttention: ({"shape": (5, 3)}, {"no_tensor_kept", "nothing_kept", "padding_ignored"}),
    RunningStandardization: ({"shape": (5, 3)}, {"inference_keeps_state"}),
    TokenAndPositionEmbedding: (
        {
            "args": {"length": 5, "vocabulary": 8, "width": 3},
            "shape": (5,),
            "predictions": "tokens",
            "classes": 8,
        },
        set(),
    ),
    F1: ({}, set()),
    F1OfLastBatch: ({}, {"reset_forgets", "batches_accumulate"}),
    SignMomentum: ({}, set()),
    CosineRestarts: ({}, set()),
    InverseRoot: (
        {},
        {"config_complete", "config_round_trip", "config_unchanged_by_use", "rates_valid"},
    ),
    OffDiagonal: ({}, set()),
}
