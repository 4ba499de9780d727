"""Writes golden values of hinge losses; README.md beside it names the environment."""

import importlib.metadata
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model._sgd_fast import ModifiedHuber
from torch.nn import MarginRankingLoss, MultiMarginLoss

FOLDER = Path(__file__).parent


def write(name, peer, **arrays):
    version = importlib.metadata.version(peer).split("+")[0]
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    np.savez_compressed(FOLDER / f"{name}.npz", peer=np.array(f"{peer} {version}"), **arrays)


def float32(x):
    return np.asarray(x, dtype="float32")


def multi_margin():
    """Per-sample losses; the gradient is that of their sum."""
    rng = np.random.default_rng(31)
    scores, labels = float32(2 * rng.normal(size=(12, 5))), rng.integers(0, 5, size=12)
    scores[3, labels[3]] += 12  # margin kept: no loss
    s = torch.tensor(scores, dtype=torch.float64, requires_grad=True)
    loss = MultiMarginLoss(margin=1.5, reduction="none")(s, torch.tensor(labels))
    loss.sum().backward()
    arrays = {"scores": scores, "labels": labels.astype("int32"), "margin": 1.5}
    write("torch_multi_margin", "torch", **arrays, loss=loss.detach(), gradient=s.grad)


def margin_ranking():
    """Per-pair losses; the gradient is that of their sum."""
    rng = np.random.default_rng(37)
    scores, signs = float32(rng.normal(size=(12, 2))), 2 * rng.integers(0, 2, size=12) - 1
    s = torch.tensor(scores, dtype=torch.float64, requires_grad=True)
    rank = MarginRankingLoss(margin=0.75, reduction="none")
    loss = rank(s[:, 0], s[:, 1], torch.tensor(signs, dtype=torch.float64))
    loss.sum().backward()
    arrays = {"scores": scores, "signs": signs.astype("int32"), "margin": 0.75}
    write("torch_margin_ranking", "torch", **arrays, loss=loss.detach(), gradient=s.grad)


def modified_huber():
    """One loss and one slope for each pair of score and sign, from far wrong to far right."""
    scores, signs = float32(np.linspace(-3, 3, 48)), np.tile([1, -1], 24)
    pairs = [(float(s), float(y)) for s, y in zip(scores, signs, strict=True)]
    each = ModifiedHuber()
    write(
        "sklearn_modified_huber",
        "scikit-learn",
        scores=scores,
        signs=signs.astype("int32"),
        loss=[each.py_loss(s, y) for s, y in pairs],
        gradient=[each.py_dloss(s, y) for s, y in pairs],
    )


if __name__ == "__main__":
    multi_margin()
    margin_ranking()
    modified_huber()
