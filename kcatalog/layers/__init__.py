"""Custom layers; the path of each is `kcatalog.layers.<Class>`."""

from kcatalog.layers.convolution.coord_conv2d import CoordConv2D
from kcatalog.layers.convolution.depth_to_space import DepthToSpace
from kcatalog.layers.convolution.space_to_depth import SpaceToDepth
from kcatalog.layers.convolution.squeeze_excite import SqueezeExcite
from kcatalog.layers.convolution.weight_standardized_conv2d import WeightStandardizedConv2D
from kcatalog.layers.core.gated_feed_forward import GatedFeedForward
from kcatalog.layers.core.prototypes import Prototypes
from kcatalog.layers.detection.non_max_suppression import NonMaxSuppression
from kcatalog.layers.embedding.position_embedding import PositionEmbedding
from kcatalog.layers.embedding.rotary_embedding import RotaryEmbedding
from kcatalog.layers.embedding.sinusoidal_position_encoding import SinusoidalPositionEncoding
from kcatalog.layers.metric_learning.cross_batch_memory import CrossBatchMemory
from kcatalog.layers.normalization.layer_scale import LayerScale
from kcatalog.layers.normalization.weight_normalization import WeightNormalization
from kcatalog.layers.pooling.blur_pooling2d import BlurPooling2D
from kcatalog.layers.pooling.generalized_mean_pooling2d import GeneralizedMeanPooling2D
from kcatalog.layers.recurrent.layer_norm_lstm import LayerNormLSTM
from kcatalog.layers.recurrent.layer_norm_lstm_cell import LayerNormLSTMCell
from kcatalog.layers.recurrent.lru import LRU
from kcatalog.layers.recurrent.min_gru import MinGRU
from kcatalog.layers.recurrent.min_lstm import MinLSTM
from kcatalog.layers.recurrent.qrnn import QRNN
from kcatalog.layers.recurrent.sru import SRU
from kcatalog.layers.regularization.drop_block2d import DropBlock2D
from kcatalog.layers.regularization.drop_connect import DropConnect
from kcatalog.layers.regularization.stochastic_depth import StochasticDepth
from kcatalog.layers.regularization.variational_dropout import VariationalDropout
from kcatalog.layers.transformer.transformer_decoder_block import TransformerDecoderBlock
from kcatalog.layers.transformer.transformer_encoder_block import TransformerEncoderBlock

__all__ = [  # noqa: RUF022 (plain order; LRU is a class, no constant)
    "BlurPooling2D",
    "CoordConv2D",
    "CrossBatchMemory",
    "DepthToSpace",
    "DropBlock2D",
    "DropConnect",
    "GatedFeedForward",
    "GeneralizedMeanPooling2D",
    "LRU",
    "LayerNormLSTM",
    "LayerNormLSTMCell",
    "LayerScale",
    "NonMaxSuppression",
    "PositionEmbedding",
    "Prototypes",
    "RotaryEmbedding",
    "SinusoidalPositionEncoding",
    "SpaceToDepth",
    "MinGRU",
    "MinLSTM",
    "QRNN",
    "SRU",
    "SqueezeExcite",
    "StochasticDepth",
    "TransformerDecoderBlock",
    "TransformerEncoderBlock",
    "VariationalDropout",
    "WeightNormalization",
    "WeightStandardizedConv2D",
]
