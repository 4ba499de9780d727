"""Shared helpers of the tests of triplet losses."""

import numpy as np

from tests.golden.load import golden


def distance(a, b, name):
    """Between two vectors, by the book."""
    if name == "cosine":
        return 1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    squared = sum((a - b) ** 2)
    return squared if name == "squared_euclidean" else np.sqrt(squared)


def peer_rule(d, rule):
    """Margin, our options, labels, embeddings, value and gradient of one of pml's rules."""
    peer = golden("pml_triplets")
    r = list(peer["rule"]).index(rule)
    name = str(peer["distance"][d])
    options = {
        "distance": name.removesuffix("_normalized"),
        "normalize": name.endswith("_normalized"),
    }
    margin = float(peer["margin"])
    return margin, options, peer["labels"], peer["x"], peer["value"][d, r], peer["gradient"][d, r]
