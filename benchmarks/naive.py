"""Layers of kcatalog written naively, from Keras's layers and operations, for `layers.py`.

Each is what a user would write who follows the formula word by word.
"""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
from keras import layers, ops

from kcatalog import layers as ours

IMAGE = (56, 56, 64)
SEQUENCE = (128, 64)


@dataclasses.dataclass(frozen=True)
class Case:
    """A layer, the function that is its naive form, and the shapes of one sample."""

    ours: Callable
    naive: Callable
    shapes: tuple = (IMAGE,)


# --- convolution --------------------------------------------------------------------------


def conv_norm(x, filters, size=3, strides=1, activation="relu", depthwise=False):
    if depthwise:
        x = layers.DepthwiseConv2D(size, strides, "same", use_bias=False)(x)
    else:
        x = layers.Conv2D(filters, size, strides, "same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.Activation(activation)(x) if activation else x


def squeeze_excite(x, channels=None):
    channels = channels or x.shape[-1]
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Dense(channels // 16, "relu")(gate)
    return layers.Multiply()([x, layers.Dense(x.shape[-1], "sigmoid")(gate)])


def residual_block(x):
    y = conv_norm(conv_norm(x, 64), 64, activation=None)
    return layers.Activation("relu")(layers.Add()([x, y]))


def bottleneck_block(x):
    y = conv_norm(conv_norm(x, 16, 1), 16)
    y = conv_norm(y, 64, 1, activation=None)
    return layers.Activation("relu")(layers.Add()([x, y]))


def inverted_residual(x):
    y = conv_norm(conv_norm(x, 384, 1, activation="relu6"), 384, 3, 1, "relu6", depthwise=True)
    return layers.Add()([x, conv_norm(y, 64, 1, activation=None)])


def fused_inverted_residual(x):
    y = conv_norm(x, 256, 3, activation="silu")
    return layers.Add()([x, conv_norm(y, 64, 1, activation=None)])


def selective_kernel(x):
    branches = [
        layers.Activation("relu")(
            layers.BatchNormalization()(
                layers.Conv2D(64, 3, 1, "same", dilation_rate=d, use_bias=False)(x)
            )
        )
        for d in (1, 2)
    ]
    s = layers.GlobalAveragePooling2D(keepdims=True)(layers.Add()(branches))
    z = layers.Activation("relu")(layers.BatchNormalization()(layers.Dense(32, use_bias=False)(s)))
    weights = ops.softmax(ops.stack([layers.Dense(64, use_bias=False)(z) for _ in branches]), 0)
    return weights[0] * branches[0] + weights[1] * branches[1]


@keras.saving.register_keras_serializable("naive")
class StandardizedConv2D(layers.Conv2D):
    def convolution_op(self, inputs, kernel):
        mean = ops.mean(kernel, axis=(0, 1, 2), keepdims=True)
        variance = ops.var(kernel, axis=(0, 1, 2), keepdims=True)
        return super().convolution_op(inputs, (kernel - mean) / ops.sqrt(variance + 1e-6))


def coord_conv2d(x):
    height, width = x.shape[1:3]
    one = ops.ones_like(x[..., :1])
    rows = one * ops.linspace(-1.0, 1.0, height)[None, :, None, None]
    columns = one * ops.linspace(-1.0, 1.0, width)[None, None, :, None]
    return layers.Conv2D(64, 3)(ops.concatenate([x, rows, columns], axis=-1))


def patch_embedding(x):
    return layers.Reshape((-1, 96))(layers.Conv2D(96, 4, 4)(x))


def patch_merging(x):
    quarters = [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
    x = layers.LayerNormalization(epsilon=1e-5)(ops.concatenate(quarters, axis=-1))
    return layers.Dense(128, use_bias=False)(x)


def space_to_depth(x):
    _, height, width, channels = x.shape
    x = ops.reshape(x, (-1, height // 2, 2, width // 2, 2, channels))
    return ops.reshape(
        ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, height // 2, width // 2, 4 * channels)
    )


def depth_to_space(x):
    _, height, width, channels = x.shape
    x = ops.reshape(x, (-1, height, width, 2, 2, channels // 4))
    return ops.reshape(
        ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, 2 * height, 2 * width, channels // 4)
    )


# --- attention over channels and pixels ----------------------------------------------------


def efficient_channel_attention(x):
    gate = layers.GlobalAveragePooling2D()(x)
    gate = layers.Conv1D(1, 3, padding="same", use_bias=False)(gate[:, :, None])
    return x * ops.sigmoid(ops.squeeze(gate, -1))[:, None, None]


def cbam(x):
    hidden, back = layers.Dense(4, "relu", use_bias=False), layers.Dense(64, use_bias=False)
    pooled = ops.mean(x, (1, 2), keepdims=True), ops.max(x, (1, 2), keepdims=True)
    x = x * ops.sigmoid(back(hidden(pooled[0])) + back(hidden(pooled[1])))
    maps = ops.concatenate([ops.mean(x, -1, keepdims=True), ops.max(x, -1, keepdims=True)], -1)
    gate = layers.Conv2D(1, 7, padding="same", use_bias=False)(maps)
    return x * ops.sigmoid(gate)


def global_response_normalization(x):
    norm = ops.sqrt(ops.sum(x**2, axis=(1, 2), keepdims=True))
    scaled = x * (norm / (ops.mean(norm, axis=-1, keepdims=True) + 1e-6))
    return x + layers.EinsumDense("bhwc,c->bhwc", x.shape[1:], bias_axes="c")(scaled)


def coordinate_attention(x):
    height = x.shape[1]
    z = ops.concatenate([ops.mean(x, axis=2), ops.mean(x, axis=1)], axis=1)
    f = layers.BatchNormalization()(layers.Dense(8, use_bias=False)(z))
    f = ops.hard_silu(f)
    rows = layers.Dense(64, "sigmoid")(f[:, :height])
    return x * rows[:, :, None] * layers.Dense(64, "sigmoid")(f[:, height:])[:, None]


def global_context(x):
    pixels = layers.Reshape((-1, x.shape[-1]))(x)
    weights = layers.Softmax(axis=1)(layers.Dense(1, use_bias=False)(pixels))
    context = ops.sum(weights * pixels, axis=1)
    hidden = layers.LayerNormalization(epsilon=1e-5)(layers.Dense(4)(context))
    return x + layers.Dense(64)(ops.relu(hidden))[:, None, None]


def non_local(x):
    pixels = layers.Reshape((-1, x.shape[-1]))(x)
    theta, phi, g = (layers.Dense(32)(pixels) for _ in range(3))
    weights = ops.softmax(ops.matmul(theta, ops.transpose(phi, (0, 2, 1))))
    z = layers.Reshape(x.shape[1:])(layers.Dense(64)(ops.matmul(weights, g)))
    return x + layers.BatchNormalization()(z)


# --- pooling ------------------------------------------------------------------------------


def binomial(channels, *sizes):
    k = np.array([1.0, 2.0, 1.0]) / 4
    kernel = np.outer(k, k)[:, :, None, None] if len(sizes) == 2 else k[:, None, None]
    kernel = np.tile(kernel, (*[1] * len(sizes), channels, 1))
    return {"use_bias": False, "trainable": False, "depthwise_initializer": lambda *_, **__: kernel}


def blur_pooling2d(x):
    x = ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="reflect")
    return layers.DepthwiseConv2D(3, 2, **binomial(x.shape[-1], 3, 3))(x)


def blur_pooling1d(x):
    x = ops.pad(x, [[0, 0], [1, 1], [0, 0]], mode="reflect")
    return layers.DepthwiseConv1D(3, 2, **binomial(x.shape[-1], 3))(x)


@keras.saving.register_keras_serializable("naive")
class GeneralizedMean(layers.Layer):
    def build(self, shape):
        self.p = self.add_weight((), keras.initializers.Constant(3.0))

    def call(self, x):
        space = tuple(range(1, len(x.shape) - 1))
        return ops.mean(ops.maximum(x, 1e-6) ** self.p, axis=space) ** (1 / self.p)


def spatial_pyramid_pooling2d(x):
    pooled = [layers.AveragePooling2D(x.shape[1] // n)(x) for n in (1, 2, 4)]
    return ops.concatenate([layers.Reshape((-1, x.shape[-1]))(y) for y in pooled], axis=1)


@keras.saving.register_keras_serializable("naive")
class LearnedQuery(layers.Layer):
    def build(self, shape):
        self.query = self.add_weight((1, 1, shape[-1]), "glorot_uniform")
        self.attention = layers.MultiHeadAttention(4, shape[-1] // 4)
        self.attention.build((None, 1, shape[-1]), shape)

    def call(self, x):
        query = ops.broadcast_to(self.query, (ops.shape(x)[0], 1, x.shape[-1]))
        return self.attention(query, x)[:, 0]


# --- normalization, dense, activations -------------------------------------------------------


def filter_response_normalization(x):
    ν2 = ops.mean(x**2, axis=(1, 2), keepdims=True)
    x = x / ops.sqrt(ν2 + 1e-6)
    return layers.EinsumDense("bhwc,c->bhwc", x.shape[1:], bias_axes="c")(x)


def ghost_batch_normalization(x):
    x = ops.reshape(x, (2, -1, *x.shape[1:]))
    mean, variance = ops.mean(x, (1, 2, 3), keepdims=True), ops.var(x, (1, 2, 3), keepdims=True)
    x = ops.reshape((x - mean) / ops.sqrt(variance + 1e-3), (-1, *x.shape[2:]))
    return layers.EinsumDense("bhwc,c->bhwc", x.shape[1:], bias_axes="c")(x)


def maxout(x):
    return ops.max(ops.reshape(x, (-1, *x.shape[1:-1], x.shape[-1] // 16, 16)), axis=-2)


@keras.saving.register_keras_serializable("naive")
class WeightNormDense(layers.Layer):
    def build(self, shape):
        self.v = self.add_weight((shape[-1], 64), "glorot_uniform")
        self.g = self.add_weight((64,), "ones")
        self.b = self.add_weight((64,), "zeros")

    def call(self, x):
        w = self.g * self.v / ops.norm(self.v, axis=0)
        return ops.matmul(x, w) + self.b


def gated_feed_forward(x):
    gate, value = layers.Dense(256, "silu", use_bias=False), layers.Dense(256, use_bias=False)
    return layers.Dense(64, use_bias=False)(gate(x) * value(x))


# --- sequences ----------------------------------------------------------------------------


def transformer_encoder_block(x):
    h = layers.LayerNormalization(epsilon=1e-5)(x + layers.MultiHeadAttention(4, 16)(x, x))
    y = layers.Dense(64)(layers.Dense(256, "relu")(h))
    return layers.LayerNormalization(epsilon=1e-5)(h + y)


def rotary_embedding(x):
    half = x.shape[-1] // 2
    angles = np.arange(x.shape[1])[:, None] / 10000.0 ** (np.arange(half) / half)
    cos, sin = np.cos(angles).astype("float32"), np.sin(angles).astype("float32")
    a, b = x[..., :half], x[..., half:]
    return ops.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def position_embedding(x):
    return x + layers.Embedding(128, 64)(ops.arange(128))


CASES = {
    "SqueezeExcite": Case(lambda: ours.SqueezeExcite(), squeeze_excite),
    "ConvNormActivation": Case(lambda: ours.ConvNormActivation(64), lambda x: conv_norm(x, 64)),
    "ConvNormActivation depthwise": Case(
        lambda: ours.ConvNormActivation(64, groups=64),
        lambda x: conv_norm(x, 64, depthwise=True),
    ),
    "ResidualBlock": Case(lambda: ours.ResidualBlock(64), residual_block),
    "BottleneckBlock": Case(lambda: ours.BottleneckBlock(16), bottleneck_block),
    "InvertedResidual": Case(lambda: ours.InvertedResidual(64), inverted_residual, ((28, 28, 64),)),
    "FusedInvertedResidual": Case(
        lambda: ours.FusedInvertedResidual(64), fused_inverted_residual, ((28, 28, 64),)
    ),
    "SelectiveKernel": Case(lambda: ours.SelectiveKernel(64), selective_kernel, ((28, 28, 64),)),
    "WeightStandardizedConv2D": Case(
        lambda: ours.WeightStandardizedConv2D(64, 3), lambda x: StandardizedConv2D(64, 3)(x)
    ),
    "CoordConv2D": Case(lambda: ours.CoordConv2D(64, 3), coord_conv2d),
    "PatchEmbedding": Case(lambda: ours.PatchEmbedding(4, 96), patch_embedding),
    "PatchMerging": Case(lambda: ours.PatchMerging(), patch_merging),
    "SpaceToDepth": Case(lambda: ours.SpaceToDepth(), space_to_depth),
    "DepthToSpace": Case(lambda: ours.DepthToSpace(), depth_to_space),
    "EfficientChannelAttention": Case(
        lambda: ours.EfficientChannelAttention(), efficient_channel_attention
    ),
    "CBAM": Case(lambda: ours.CBAM(), cbam),
    "GlobalResponseNormalization": Case(
        lambda: ours.GlobalResponseNormalization(), global_response_normalization
    ),
    "CoordinateAttention": Case(lambda: ours.CoordinateAttention(), coordinate_attention),
    "GlobalContext": Case(lambda: ours.GlobalContext(), global_context),
    "NonLocal": Case(lambda: ours.NonLocal(), non_local, ((14, 14, 64),)),
    "AttentionPooling1D": Case(
        lambda: ours.AttentionPooling1D(4), lambda x: LearnedQuery()(x), (SEQUENCE,)
    ),
    "MaskedPooling1D": Case(
        lambda: ours.MaskedPooling1D(), layers.GlobalAveragePooling1D(), (SEQUENCE,)
    ),
    "BlurPooling2D": Case(lambda: ours.BlurPooling2D(), blur_pooling2d),
    "BlurPooling1D": Case(lambda: ours.BlurPooling1D(), blur_pooling1d, (SEQUENCE,)),
    "GeneralizedMeanPooling2D": Case(
        lambda: ours.GeneralizedMeanPooling2D(), lambda x: GeneralizedMean()(x)
    ),
    "GeneralizedMeanPooling1D": Case(
        lambda: ours.GeneralizedMeanPooling1D(), lambda x: GeneralizedMean()(x), (SEQUENCE,)
    ),
    "SpatialPyramidPooling2D": Case(
        lambda: ours.SpatialPyramidPooling2D((1, 2, 4)), spatial_pyramid_pooling2d
    ),
    "FilterResponseNormalization": Case(
        lambda: ours.FilterResponseNormalization(), filter_response_normalization
    ),
    "GhostBatchNormalization": Case(
        lambda: ours.GhostBatchNormalization(8), ghost_batch_normalization
    ),
    "Maxout": Case(lambda: ours.Maxout(16), maxout),
    "WeightNormalization": Case(
        lambda: ours.WeightNormalization(layers.Dense(64), data_init=False),
        lambda x: WeightNormDense()(x),
        (SEQUENCE,),
    ),
    "StochasticDepth": Case(
        lambda: ours.StochasticDepth(0.2), layers.Dropout(0.2, noise_shape=(None, 1, 1, 1))
    ),
    "GatedFeedForward": Case(lambda: ours.GatedFeedForward(256), gated_feed_forward, (SEQUENCE,)),
    "TransformerEncoderBlock": Case(
        lambda: ours.TransformerEncoderBlock(256, 4), transformer_encoder_block, (SEQUENCE,)
    ),
    "RotaryEmbedding": Case(lambda: ours.RotaryEmbedding(), rotary_embedding, (SEQUENCE,)),
    "PositionEmbedding": Case(lambda: ours.PositionEmbedding(128), position_embedding, (SEQUENCE,)),
}
