"""Custom layers; the path of each is `kcatalog.layers.<Class>`."""

from kcatalog.layers.activations.entmax15 import Entmax15
from kcatalog.layers.activations.lisht import LiSHT
from kcatalog.layers.activations.quick_gelu import QuickGELU
from kcatalog.layers.activations.rrelu import RReLU
from kcatalog.layers.activations.snake import Snake
from kcatalog.layers.activations.sparsemax import Sparsemax
from kcatalog.layers.activations.thresholded_linear_unit import ThresholdedLinearUnit
from kcatalog.layers.attention.alibi import ALiBi
from kcatalog.layers.attention.attention_wrapper import AttentionWrapper
from kcatalog.layers.attention.bahdanau_attention import BahdanauAttention
from kcatalog.layers.attention.cbam import CBAM
from kcatalog.layers.attention.coordinate_attention import CoordinateAttention
from kcatalog.layers.attention.efficient_channel_attention import EfficientChannelAttention
from kcatalog.layers.attention.global_context import GlobalContext
from kcatalog.layers.attention.luong_attention import LuongAttention
from kcatalog.layers.attention.non_local import NonLocal
from kcatalog.layers.attention.relative_position_bias import RelativePositionBias
from kcatalog.layers.attention.window_attention import WindowAttention
from kcatalog.layers.convolution.bottleneck_block import BottleneckBlock
from kcatalog.layers.convolution.conv_norm_activation import ConvNormActivation
from kcatalog.layers.convolution.coord_conv2d import CoordConv2D
from kcatalog.layers.convolution.correlation_cost import CorrelationCost
from kcatalog.layers.convolution.depth_to_space import DepthToSpace
from kcatalog.layers.convolution.feature_pyramid import FeaturePyramid
from kcatalog.layers.convolution.fused_inverted_residual import FusedInvertedResidual
from kcatalog.layers.convolution.inverted_residual import InvertedResidual
from kcatalog.layers.convolution.patch_embedding import PatchEmbedding
from kcatalog.layers.convolution.patch_merging import PatchMerging
from kcatalog.layers.convolution.residual_block import ResidualBlock
from kcatalog.layers.convolution.selective_kernel import SelectiveKernel
from kcatalog.layers.convolution.space_to_depth import SpaceToDepth
from kcatalog.layers.convolution.squeeze_excite import SqueezeExcite
from kcatalog.layers.convolution.weight_standardized_conv2d import WeightStandardizedConv2D
from kcatalog.layers.core.gated_feed_forward import GatedFeedForward
from kcatalog.layers.core.masked_lm_head import MaskedLMHead
from kcatalog.layers.core.maxout import Maxout
from kcatalog.layers.core.mixture_of_experts import MixtureOfExperts
from kcatalog.layers.core.noisy_dense import NoisyDense
from kcatalog.layers.core.prototypes import Prototypes
from kcatalog.layers.decoding.beam_search_decoder import BeamSearchDecoder
from kcatalog.layers.decoding.sampling_decoder import SamplingDecoder
from kcatalog.layers.decoding.scheduled_sampling import ScheduledSampling
from kcatalog.layers.detection.non_max_suppression import NonMaxSuppression
from kcatalog.layers.embedding.position_embedding import PositionEmbedding
from kcatalog.layers.embedding.rotary_embedding import RotaryEmbedding
from kcatalog.layers.embedding.sinusoidal_position_encoding import SinusoidalPositionEncoding
from kcatalog.layers.embedding.timestep_embedding import TimestepEmbedding
from kcatalog.layers.embedding.token_and_position_embedding import TokenAndPositionEmbedding
from kcatalog.layers.metric_learning.cross_batch_memory import CrossBatchMemory
from kcatalog.layers.normalization.adaptive_layer_normalization import AdaptiveLayerNormalization
from kcatalog.layers.normalization.filter_response_normalization import FilterResponseNormalization
from kcatalog.layers.normalization.ghost_batch_normalization import GhostBatchNormalization
from kcatalog.layers.normalization.global_response_normalization import GlobalResponseNormalization
from kcatalog.layers.normalization.layer_scale import LayerScale
from kcatalog.layers.normalization.poincare_normalize import PoincareNormalize
from kcatalog.layers.normalization.weight_normalization import WeightNormalization
from kcatalog.layers.pooling.atrous_spatial_pyramid_pooling2d import AtrousSpatialPyramidPooling2D
from kcatalog.layers.pooling.attention_pooling1d import AttentionPooling1D
from kcatalog.layers.pooling.attention_pooling2d import AttentionPooling2D
from kcatalog.layers.pooling.blur_pooling1d import BlurPooling1D
from kcatalog.layers.pooling.blur_pooling2d import BlurPooling2D
from kcatalog.layers.pooling.generalized_mean_pooling1d import GeneralizedMeanPooling1D
from kcatalog.layers.pooling.generalized_mean_pooling2d import GeneralizedMeanPooling2D
from kcatalog.layers.pooling.masked_pooling1d import MaskedPooling1D
from kcatalog.layers.pooling.max_pooling_with_indices2d import MaxPoolingWithIndices2D
from kcatalog.layers.pooling.max_unpooling2d import MaxUnpooling2D
from kcatalog.layers.pooling.net_vlad import NetVLAD
from kcatalog.layers.pooling.spatial_pyramid_pooling2d import SpatialPyramidPooling2D
from kcatalog.layers.recurrent.echo_state import EchoState
from kcatalog.layers.recurrent.echo_state_cell import EchoStateCell
from kcatalog.layers.recurrent.ind_rnn import IndRNN
from kcatalog.layers.recurrent.ind_rnn_cell import IndRNNCell
from kcatalog.layers.recurrent.layer_norm_gru import LayerNormGRU
from kcatalog.layers.recurrent.layer_norm_gru_cell import LayerNormGRUCell
from kcatalog.layers.recurrent.layer_norm_lstm import LayerNormLSTM
from kcatalog.layers.recurrent.layer_norm_lstm_cell import LayerNormLSTMCell
from kcatalog.layers.recurrent.layer_norm_simple_rnn import LayerNormSimpleRNN
from kcatalog.layers.recurrent.layer_norm_simple_rnn_cell import LayerNormSimpleRNNCell
from kcatalog.layers.recurrent.lru import LRU
from kcatalog.layers.recurrent.min_gru import MinGRU
from kcatalog.layers.recurrent.min_lstm import MinLSTM
from kcatalog.layers.recurrent.nas_cell import NASCell
from kcatalog.layers.recurrent.peephole_lstm import PeepholeLSTM
from kcatalog.layers.recurrent.peephole_lstm_cell import PeepholeLSTMCell
from kcatalog.layers.recurrent.qrnn import QRNN
from kcatalog.layers.recurrent.residual_recurrent import ResidualRecurrent
from kcatalog.layers.recurrent.sru import SRU
from kcatalog.layers.recurrent.zoneout import Zoneout
from kcatalog.layers.regularization.drop_block2d import DropBlock2D
from kcatalog.layers.regularization.drop_connect import DropConnect
from kcatalog.layers.regularization.r_drop import RDrop
from kcatalog.layers.regularization.stochastic_depth import StochasticDepth
from kcatalog.layers.regularization.variational_dropout import VariationalDropout
from kcatalog.layers.structured.crf import CRF
from kcatalog.layers.transformer.transformer_decoder_block import TransformerDecoderBlock
from kcatalog.layers.transformer.transformer_encoder_block import TransformerEncoderBlock

__all__ = [  # noqa: RUF022 (plain order; LRU is a class, no constant)
    "ALiBi",
    "AdaptiveLayerNormalization",
    "AtrousSpatialPyramidPooling2D",
    "AttentionPooling1D",
    "AttentionPooling2D",
    "AttentionWrapper",
    "BahdanauAttention",
    "BeamSearchDecoder",
    "BlurPooling1D",
    "BlurPooling2D",
    "BottleneckBlock",
    "CBAM",
    "CRF",
    "ConvNormActivation",
    "CoordConv2D",
    "CoordinateAttention",
    "CorrelationCost",
    "CrossBatchMemory",
    "DepthToSpace",
    "DropBlock2D",
    "DropConnect",
    "EchoState",
    "EchoStateCell",
    "EfficientChannelAttention",
    "Entmax15",
    "FeaturePyramid",
    "FilterResponseNormalization",
    "FusedInvertedResidual",
    "GatedFeedForward",
    "GeneralizedMeanPooling1D",
    "GeneralizedMeanPooling2D",
    "GhostBatchNormalization",
    "GlobalContext",
    "GlobalResponseNormalization",
    "IndRNN",
    "IndRNNCell",
    "InvertedResidual",
    "LRU",
    "LayerNormGRU",
    "LayerNormGRUCell",
    "LayerNormLSTM",
    "LayerNormLSTMCell",
    "LayerNormSimpleRNN",
    "LayerNormSimpleRNNCell",
    "LayerScale",
    "LiSHT",
    "LuongAttention",
    "MaskedLMHead",
    "MaskedPooling1D",
    "MaxPoolingWithIndices2D",
    "MaxUnpooling2D",
    "Maxout",
    "MinGRU",
    "MinLSTM",
    "MixtureOfExperts",
    "NASCell",
    "NetVLAD",
    "NoisyDense",
    "NonLocal",
    "NonMaxSuppression",
    "PatchEmbedding",
    "PatchMerging",
    "PeepholeLSTM",
    "PeepholeLSTMCell",
    "PoincareNormalize",
    "PositionEmbedding",
    "Prototypes",
    "QRNN",
    "QuickGELU",
    "RDrop",
    "RReLU",
    "RelativePositionBias",
    "ResidualBlock",
    "ResidualRecurrent",
    "RotaryEmbedding",
    "SRU",
    "SamplingDecoder",
    "ScheduledSampling",
    "SelectiveKernel",
    "SinusoidalPositionEncoding",
    "Snake",
    "SpaceToDepth",
    "Sparsemax",
    "SpatialPyramidPooling2D",
    "SqueezeExcite",
    "StochasticDepth",
    "ThresholdedLinearUnit",
    "TimestepEmbedding",
    "TokenAndPositionEmbedding",
    "TransformerDecoderBlock",
    "TransformerEncoderBlock",
    "VariationalDropout",
    "WeightNormalization",
    "WeightStandardizedConv2D",
    "WindowAttention",
    "Zoneout",
]
