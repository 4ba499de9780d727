"""Callbacks; the path of each is `kcatalog.callbacks.<Class>`."""

from kcatalog.callbacks.activation_statistics import ActivationStatistics
from kcatalog.callbacks.averages import averaged_weights
from kcatalog.callbacks.best_checkpoints import BestCheckpoints
from kcatalog.callbacks.gradient_flow import GradientFlow
from kcatalog.callbacks.learning_rate_range_test import LearningRateRangeTest

# its module has the name of this function, which therefore has to be imported from there
from kcatalog.callbacks.reestimate_batch_norm import ReestimateBatchNorm, reestimate_batch_norm
from kcatalog.callbacks.retrieval_evaluation import RetrievalEvaluation
from kcatalog.callbacks.step_size import StepSize
from kcatalog.callbacks.stop_when_skipping import StopWhenSkipping
from kcatalog.callbacks.swap_averaged_weights import SwapAveragedWeights
from kcatalog.callbacks.time_budget import TimeBudget

__all__ = [
    "ActivationStatistics",
    "BestCheckpoints",
    "GradientFlow",
    "LearningRateRangeTest",
    "ReestimateBatchNorm",
    "RetrievalEvaluation",
    "StepSize",
    "StopWhenSkipping",
    "SwapAveragedWeights",
    "TimeBudget",
    "averaged_weights",
    "reestimate_batch_norm",
]
