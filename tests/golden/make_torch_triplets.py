"""Writes golden triplet losses of pytorch-metric-learning and PyTorch; README.md says how."""

from pathlib import Path

import numpy as np
import pytorch_metric_learning as pml
import torch
from pytorch_metric_learning import distances, losses, miners, reducers

FOLDER = Path(__file__).parent
MARGIN = 0.4
DISTANCES = {
    "euclidean": distances.LpDistance(normalize_embeddings=False),
    "euclidean_normalized": distances.LpDistance(),
    "squared_euclidean": distances.LpDistance(normalize_embeddings=False, power=2),
}


def rules(distance):
    """Name -> function from embeddings and labels to the loss."""
    mean, active = reducers.MeanReducer(), reducers.AvgNonZeroReducer()
    average = losses.TripletMarginLoss(MARGIN, distance=distance, reducer=mean)
    hard = miners.BatchHardMiner(distance=distance)
    easy = miners.BatchEasyHardMiner(pos_strategy="easy", neg_strategy="hard", distance=distance)
    return {
        "all": average,
        "active": losses.TripletMarginLoss(MARGIN, distance=distance, reducer=active),
        "hard": lambda e, y: average(e, y, hard(e, y)),
        "easy_positive": lambda e, y: average(e, y, easy(e, y)),
    }


def in_batch():
    rng = np.random.default_rng(23)
    labels = rng.permutation(np.repeat(np.arange(4), [2, 3, 5, 6]))
    x = rng.normal(size=(16, 8)).astype("float32")
    names = list(rules(DISTANCES["euclidean"]))
    value = np.zeros((len(DISTANCES), len(names)))
    gradient = np.zeros((*value.shape, *x.shape))
    for d, distance in enumerate(DISTANCES.values()):
        for r, rule in enumerate(rules(distance).values()):
            e = torch.tensor(x, dtype=torch.float64, requires_grad=True)
            loss = rule(e, torch.tensor(labels))
            loss.backward()
            value[d, r], gradient[d, r] = loss.item(), e.grad
    np.savez_compressed(
        FOLDER / "pml_triplets.npz",
        peer=np.array(f"pytorch-metric-learning {pml.__version__}, torch {torch.__version__}"),
        x=x,
        labels=labels.astype("int32"),
        margin=np.float32(MARGIN),
        distance=np.array(list(DISTANCES)),
        rule=np.array(names),
        value=value,
        gradient=gradient,
    )


def explicit():
    rng = np.random.default_rng(29)
    x = rng.normal(size=(12, 3, 5)).astype("float32")
    value, gradient = [], []
    for swap in (False, True):
        e = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        loss = torch.nn.TripletMarginLoss(MARGIN, eps=0.0, swap=swap)(e[:, 0], e[:, 1], e[:, 2])
        loss.backward()
        value.append(loss.item())
        gradient.append(e.grad.numpy())
    np.savez_compressed(
        FOLDER / "torch_triplet_margin.npz",
        peer=np.array(f"torch {torch.__version__}"),
        x=x,
        margin=np.float32(MARGIN),
        swap=np.array([False, True]),
        value=np.array(value),
        gradient=np.array(gradient),
    )


if __name__ == "__main__":
    in_batch()
    explicit()
