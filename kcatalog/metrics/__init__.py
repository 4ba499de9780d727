"""Metrics; the path of each is `kcatalog.metrics.<Class>`."""

from kcatalog.metrics.cohen_kappa import CohenKappa
from kcatalog.metrics.expected_calibration_error import ExpectedCalibrationError
from kcatalog.metrics.hamming import Hamming
from kcatalog.metrics.kendall_tau import KendallTau
from kcatalog.metrics.matthews_correlation import MatthewsCorrelation
from kcatalog.metrics.multi_label_confusion_matrix import MultiLabelConfusionMatrix
from kcatalog.metrics.recall_at_k import RecallAtK
from kcatalog.metrics.spearman_correlation import SpearmanCorrelation

__all__ = [
    "CohenKappa",
    "ExpectedCalibrationError",
    "Hamming",
    "KendallTau",
    "MatthewsCorrelation",
    "MultiLabelConfusionMatrix",
    "RecallAtK",
    "SpearmanCorrelation",
]
