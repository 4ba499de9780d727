"""Writes the golden values of pair losses in PyTorch; README.md beside it names the environment."""

import importlib.metadata
from pathlib import Path

import numpy as np
import torch
from pytorch_metric_learning import losses, miners
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.utils import loss_and_miner_utils as lmu

FOLDER = Path(__file__).parent
PEER = ", ".join(
    f"{p} {importlib.metadata.version(p).split('+')[0]}"
    for p in ("pytorch-metric-learning", "torch")
)
EUCLIDEAN = LpDistance(normalize_embeddings=False)
SQUARED = LpDistance(normalize_embeddings=False, power=2)


def float32(x):
    return np.asarray(x, dtype="float32")


def value_and_gradient(loss, x, labels, miner=None):
    inputs = torch.tensor(x, dtype=torch.float64).requires_grad_()
    pairs = None if miner is None else miner(inputs, labels)
    value = loss(inputs, labels, pairs)
    value.backward()
    return value.item(), inputs.grad.numpy()


def drawing_probabilities(x, labels, miner):
    """The probabilities with which a miner is about to draw negatives, a row for each anchor."""
    drawn, real = [], lmu.get_random_triplet_indices

    def catch(labels, ref_labels=None, weights=None, **kwargs):
        drawn.append(weights)
        return real(labels, ref_labels=ref_labels, weights=weights, **kwargs)

    lmu.get_random_triplet_indices = catch
    miner(torch.tensor(x, dtype=torch.float64), labels)
    lmu.get_random_triplet_indices = real
    return drawn[0].numpy()


def angular(x, labels, pairs):
    """The peer normalizes anchors and positives, and leaves it to its user for the negatives."""
    return losses.AngularLoss(40)(torch.nn.functional.normalize(x), labels, pairs)


def main():
    """Four classes of four: every anchor has three positives and twelve negatives."""
    rng = np.random.default_rng(31)
    labels = torch.tensor(rng.permutation(np.repeat(np.arange(4), 4)))
    x = float32(rng.normal(size=(16, 8)))
    near = float32(0.4 * rng.normal(size=(16, 8)) + np.eye(4, 8)[labels])
    parts = {
        "lifted_structure": (losses.LiftedStructureLoss(1.5, distance=EUCLIDEAN), None),
        "generalized_lifted_structure": (
            losses.GeneralizedLiftedStructureLoss(1.5, distance=EUCLIDEAN),
            None,
        ),
        "multi_similarity": (losses.MultiSimilarityLoss(2, 50, 0.5), None),
        "multi_similarity_mined": (
            losses.MultiSimilarityLoss(2, 50, 0.5),
            miners.MultiSimilarityMiner(0.1),
        ),
        "margin": (losses.MarginLoss(0.2, beta=1.2), None),
        "angular": (angular, None),
        "nca": (losses.NCALoss(0.5, distance=SQUARED), None),
    }
    arrays = {"x": x, "near": near, "labels": labels.numpy().astype("int32")}
    for which in ("x", "near"):
        for name, (loss, miner) in parts.items():
            found = value_and_gradient(loss, arrays[which], labels, miner)
            arrays[f"{name}_{which}"], arrays[f"{name}_{which}_gradient"] = found
        weights = drawing_probabilities(arrays[which], labels, miners.DistanceWeightedMiner())
        arrays[f"drawn_{which}"] = weights
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    np.savez_compressed(FOLDER / "pml_in_batch.npz", peer=np.array(PEER), **arrays)


if __name__ == "__main__":
    main()
