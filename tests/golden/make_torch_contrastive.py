"""Writes golden values of contrastive losses; README.md beside it names the environment."""

from pathlib import Path

import numpy as np
import pytorch_metric_learning
import torch
from pytorch_metric_learning import distances, losses, reducers

FOLDER = Path(__file__).parent
PEER = f"pytorch-metric-learning {pytorch_metric_learning.__version__}"


def write(name, **arrays):
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    np.savez_compressed(FOLDER / f"{name}.npz", peer=np.array(PEER), **arrays)


def float32(x):
    return np.asarray(x, dtype="float32")


def value_and_gradients(loss, *arrays):
    """In float64, from inputs exact in float32."""
    tensors = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in arrays]
    value = loss(*tensors)
    value.backward()
    return value.detach(), *(t.grad for t in tensors)


def labelled():
    """Labels of uneven classes, one of them with a single member; and of two for each class."""
    rng = np.random.default_rng(41)
    x = float32(rng.normal(size=(2, 12, 5)))
    labels = [[0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3], [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]]
    return x, np.asarray(labels, "int32")


def over(make, temperatures, x, labels):
    """Values and gradients for each temperature and batch."""

    def one(temperature, x, labels):
        loss = make(temperature)
        return value_and_gradients(lambda e: loss(e, torch.tensor(labels)), x)

    results = [[one(t, *batch) for batch in zip(x, labels, strict=True)] for t in temperatures]
    value = [[value for value, _ in row] for row in results]
    gradient = np.stack([[np.asarray(gradient) for _, gradient in row] for row in results])
    arrays = {"x": x, "labels": labels, "temperature": temperatures}
    return {**arrays, "value": value, "gradient": gradient}


def nt_xent():
    write("pml_nt_xent", **over(losses.NTXentLoss, [0.05, 0.5], *labelled()))


def sup_con():
    write("pml_sup_con", **over(losses.SupConLoss, [0.05, 0.5], *labelled()))


def contrastive():
    """All pairs, by mean over positive and mean over negative pairs; classes of equal size."""
    rng = np.random.default_rng(43)
    x, labels = float32(rng.normal(size=(12, 5))), rng.permutation(np.arange(12) % 3)
    arrays = {"x": x, "labels": labels.astype("int32"), "pos_margin": 0.25, "neg_margin": 1.25}
    for name, normalize in (("plain", False), ("normalized", True)):
        distance = distances.LpDistance(normalize_embeddings=normalize)
        loss = losses.ContrastiveLoss(0.25, 1.25, distance=distance, reducer=reducers.MeanReducer())
        value, gradient = value_and_gradients(lambda e, f=loss: f(e, torch.tensor(labels)), x)
        arrays |= {f"{name}_value": value, f"{name}_gradient": gradient}
    write("pml_contrastive", **arrays)


def two_views():
    """InfoNCE one way and both ways, and VICReg, of the same two views."""
    rng = np.random.default_rng(47)
    a = float32(rng.normal(size=(10, 4)))
    b = float32(0.7 * a + 0.4 * rng.normal(size=(10, 4)))
    one_way = losses.SelfSupervisedLoss(losses.NTXentLoss(0.2), symmetric=False)
    arrays = {"a": a, "b": b, "temperature": 0.2, "weights": [10.0, 20.0, 3.0]}
    for name, loss in (
        ("one_way", one_way),
        ("both_ways", lambda a, b: (one_way(a, b) + one_way(b, a)) / 2),
        ("vicreg", lambda a, b: losses.VICRegLoss(10, 20, 3, eps=1e-3)(a, ref_emb=b)),
    ):
        value, gradient_a, gradient_b = value_and_gradients(loss, a, b)
        arrays |= {f"{name}_value": value, f"{name}_gradient": [gradient_a, gradient_b]}
    write("pml_two_views", **arrays)


def n_pairs():
    """One pair for each class, so that the peer's choice of pairs is the only one."""
    rng = np.random.default_rng(53)
    pairs = float32(rng.normal(size=(6, 2, 4)))

    def loss(pairs):
        n_pairs = losses.NPairsLoss(
            distance=distances.DotProductSimilarity(normalize_embeddings=False)
        )
        return n_pairs(torch.cat([pairs[:, 0], pairs[:, 1]]), torch.arange(6).repeat(2))

    value, gradient = value_and_gradients(loss, pairs)
    write("pml_n_pairs", pairs=pairs, value=value, gradient=gradient)


if __name__ == "__main__":
    nt_xent()
    sup_con()
    contrastive()
    two_views()
    n_pairs()
