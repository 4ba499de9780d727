"""Writes golden values of losses on class vectors; README.md beside it names the environment."""

import importlib.metadata
from pathlib import Path

import numpy as np
import torch
from pytorch_metric_learning import losses, regularizers

FOLDER = Path(__file__).parent
CLASSES, CENTERS, FEATURES, BATCH = 5, 3, 8, 12

SETTINGS = {
    "normalized_softmax": (losses.NormalizedSoftmaxLoss, {"temperature": 0.2}),
    "cos_face": (losses.CosFaceLoss, {"margin": 0.3, "scale": 8}),
    "arc_face": (losses.ArcFaceLoss, {"margin": 28.6, "scale": 8}),
    "sub_center_arc_face": (
        losses.SubCenterArcFaceLoss,
        {"margin": 20.0, "scale": 8, "sub_centers": CENTERS},
    ),
    "sphere_face": (losses.SphereFaceLoss, {"margin": 3, "scale": 8}),
    "proxy_nca": (losses.ProxyNCALoss, {"softmax_scale": 2}),
    "proxy_anchor": (losses.ProxyAnchorLoss, {"margin": 0.2, "alpha": 16}),
    "soft_triple": (
        losses.SoftTripleLoss,
        {"centers_per_class": CENTERS, "la": 8, "gamma": 0.3, "margin": 0.05},
    ),
}


def run(make, settings, x, y, prototypes):
    """The mean loss and its gradients; weights are `(classes, [centers,] features)`."""
    loss = make(num_classes=CLASSES, embedding_size=FEATURES, **settings)
    (name, parameter), *_ = loss.named_parameters()
    rows = torch.tensor(prototypes.reshape(-1, FEATURES))
    parameter.data = rows if name == "proxies" else rows.T.contiguous()
    x = torch.tensor(x, requires_grad=True)
    value = loss(x, torch.tensor(y))
    value.backward()
    gradient = parameter.grad if name == "proxies" else parameter.grad.T
    return value.detach(), x.grad, gradient.reshape(prototypes.shape)


def sparse_centers(prototypes):
    penalty = regularizers.SparseCentersRegularizer(CLASSES, CENTERS)
    w = torch.tensor(prototypes.reshape(-1, FEATURES), requires_grad=True)
    value = penalty(w)
    value.backward()
    return value.detach(), w.grad.reshape(prototypes.shape)


if __name__ == "__main__":
    rng = np.random.default_rng(41)
    # the class 4 is not in the batch; sample 3 is far from its class
    x, y = rng.normal(size=(BATCH, FEATURES)).astype("float32"), rng.integers(0, 4, BATCH)
    one = rng.normal(size=(CLASSES, FEATURES)).astype("float32")
    several = rng.normal(size=(CLASSES, CENTERS, FEATURES)).astype("float32")
    x[3] = (x[3] - one[y[3]]).astype("float32")
    unit = (x / np.linalg.norm(x.astype("float64"), axis=1, keepdims=True)).astype("float32")
    arrays = {"x": x, "unit_x": unit, "labels": y.astype("int32"), "one": one, "several": several}
    cosines = np.einsum("bf,cf->bc", unit, one / np.linalg.norm(one, axis=1, keepdims=True))
    right = np.degrees(np.arccos(cosines[np.arange(BATCH), y]))
    if right.max() > 150 or right.max() < 120:
        raise SystemExit(f"{right.max()} degrees: beyond half a turn, or too easy")
    for name, (make, settings) in SETTINGS.items():
        w = several if {"sub_centers", "centers_per_class"} & set(settings) else one
        embeddings = unit if name == "sphere_face" else x
        value = run(make, settings, embeddings.astype("float64"), y, w.astype("float64"))
        arrays.update(zip((name, f"{name}_x", f"{name}_w"), value, strict=True))
    penalty, gradient = sparse_centers(several.astype("float64"))
    arrays.update(sparse_centers=penalty, sparse_centers_w=gradient)
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    version = importlib.metadata.version("pytorch-metric-learning")
    peer = np.array(f"pytorch-metric-learning {version}")
    np.savez_compressed(FOLDER / "pml_prototypes.npz", peer=peer, **arrays)
