"""Maths that several parts share, on `keras.ops`."""

import keras  # noqa: F401 - here, since it registers the parts, which need what follows whole

from kcatalog.ops.crf import (
    crf_decode,
    crf_log_likelihood,
    crf_log_norm,
    crf_marginals,
    crf_multitag_sequence_score,
    crf_sequence_score,
)
from kcatalog.ops.distances import pairwise_distances
from kcatalog.ops.image_filters import gaussian_filter, mean_filter, median_filter
from kcatalog.ops.images import resample, rotate, translate
from kcatalog.ops.linear_recurrence import linear_recurrence
from kcatalog.ops.mining import all_triplets, semi_hard_triplets, triplet_sums
from kcatalog.ops.ordinal import corn_probabilities, corn_ranks
from kcatalog.ops.retrieval import recall_at_k, retrieval_scores
from kcatalog.ops.simplex import entmax15, sparsemax
from kcatalog.ops.skip_grams import skip_grams
from kcatalog.ops.spans import allowed_tags, span_f1, spans
from kcatalog.ops.tempered import tempered_log_softmax

__all__ = [
    "all_triplets",
    "allowed_tags",
    "corn_probabilities",
    "corn_ranks",
    "crf_decode",
    "crf_log_likelihood",
    "crf_log_norm",
    "crf_marginals",
    "crf_multitag_sequence_score",
    "crf_sequence_score",
    "entmax15",
    "gaussian_filter",
    "linear_recurrence",
    "mean_filter",
    "median_filter",
    "pairwise_distances",
    "recall_at_k",
    "resample",
    "retrieval_scores",
    "rotate",
    "semi_hard_triplets",
    "skip_grams",
    "span_f1",
    "spans",
    "sparsemax",
    "tempered_log_softmax",
    "translate",
    "triplet_sums",
]
