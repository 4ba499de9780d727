"""Metrics; the path of each is `kcatalog.metrics.<Class>`."""

from kcatalog.metrics.bleu import BLEU
from kcatalog.metrics.cohen_kappa import CohenKappa
from kcatalog.metrics.edit_distance import EditDistance
from kcatalog.metrics.expected_calibration_error import ExpectedCalibrationError
from kcatalog.metrics.hamming import Hamming
from kcatalog.metrics.kendall_tau import KendallTau
from kcatalog.metrics.matthews_correlation import MatthewsCorrelation
from kcatalog.metrics.multi_label_confusion_matrix import MultiLabelConfusionMatrix
from kcatalog.metrics.perplexity import Perplexity
from kcatalog.metrics.recall_at_k import RecallAtK
from kcatalog.metrics.rouge import ROUGE
from kcatalog.metrics.spearman_correlation import SpearmanCorrelation
from kcatalog.metrics.word_error_rate import WordErrorRate

__all__ = [  # noqa: RUF022 - plainly sorted, capitals first
    "BLEU",
    "CohenKappa",
    "EditDistance",
    "ExpectedCalibrationError",
    "Hamming",
    "KendallTau",
    "MatthewsCorrelation",
    "MultiLabelConfusionMatrix",
    "Perplexity",
    "ROUGE",
    "RecallAtK",
    "SpearmanCorrelation",
    "WordErrorRate",
]
