"""Metrics; the path of each is `kcatalog.metrics.<Class>`."""

from kcatalog.metrics.bleu import BLEU
from kcatalog.metrics.cohen_kappa import CohenKappa
from kcatalog.metrics.edit_distance import EditDistance
from kcatalog.metrics.embedding_distance import EmbeddingDistance
from kcatalog.metrics.expected_calibration_error import ExpectedCalibrationError
from kcatalog.metrics.hamming import Hamming
from kcatalog.metrics.kendall_tau import KendallTau
from kcatalog.metrics.map_at_r import MAPAtR
from kcatalog.metrics.matthews_correlation import MatthewsCorrelation
from kcatalog.metrics.mean_reciprocal_rank import MeanReciprocalRank
from kcatalog.metrics.multi_label_confusion_matrix import MultiLabelConfusionMatrix
from kcatalog.metrics.ndcg import NDCG
from kcatalog.metrics.perplexity import Perplexity
from kcatalog.metrics.precision_at_k import PrecisionAtK
from kcatalog.metrics.r_precision import RPrecision
from kcatalog.metrics.ranking_ndcg import RankingNDCG
from kcatalog.metrics.recall_at_k import RecallAtK
from kcatalog.metrics.rouge import ROUGE
from kcatalog.metrics.spearman_correlation import SpearmanCorrelation
from kcatalog.metrics.word_error_rate import WordErrorRate

__all__ = [  # noqa: RUF022 - plainly sorted, capitals first
    "BLEU",
    "CohenKappa",
    "EditDistance",
    "EmbeddingDistance",
    "ExpectedCalibrationError",
    "Hamming",
    "KendallTau",
    "MAPAtR",
    "MatthewsCorrelation",
    "MeanReciprocalRank",
    "MultiLabelConfusionMatrix",
    "NDCG",
    "Perplexity",
    "PrecisionAtK",
    "ROUGE",
    "RPrecision",
    "RankingNDCG",
    "RecallAtK",
    "SpearmanCorrelation",
    "WordErrorRate",
]
