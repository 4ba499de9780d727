"""Writes the golden values of PyTorch's segmentation losses; README.md names the environment."""

import importlib.metadata
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import torch
from monai.losses import GeneralizedDiceLoss
from pytorch_optimizer.loss import FocalTverskyLoss, JaccardLoss, LovaszHingeLoss

FOLDER = Path(__file__).parent


def only_modules_of(*packages):
    """Makes a package's modules importable without running its `__init__`, which needs more."""
    for name in packages:
        package = types.ModuleType(name)
        package.__path__ = list(importlib.util.find_spec(name).submodule_search_locations)
        sys.modules[name] = package


only_modules_of("segmentation_models_pytorch", "segmentation_models_pytorch.losses")

from segmentation_models_pytorch.losses.lovasz import _lovasz_softmax  # noqa: E402


def write(name, peer, **arrays):
    versions = [f"{p} {importlib.metadata.version(p).split('+')[0]}" for p in (peer, "torch")]
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    np.savez_compressed(FOLDER / f"{name}.npz", peer=np.array(", ".join(versions)), **arrays)


def float32(x):
    return np.asarray(x, dtype="float32")


def images(seed, classes=4):
    """Scores, channels last, and class indices of three images; each has every class."""
    rng = np.random.default_rng(seed)
    scores = float32(2 * rng.normal(size=(3, 6, 5, classes)))
    labels = rng.choice(classes, p=np.arange(1, classes + 1) / 10, size=(3, 6, 5))
    labels[:, 0, :classes] = np.arange(classes)
    return scores, labels


def binary_images(seed):
    rng = np.random.default_rng(seed)
    scores = float32(rng.normal(size=(3, 6, 5)))
    return scores, rng.integers(0, 2, size=scores.shape)


def run(loss, scores, labels, dtype=torch.float64):
    """Losses image by image; gradients of their sum. Channels last outside and first inside."""
    values, gradients = [], []
    for s, y in zip(scores, labels, strict=True):
        s = torch.tensor(s[None], dtype=dtype, requires_grad=True)
        first = torch.movedim(s, -1, 1) if s.ndim == 4 else s
        value = loss(first, torch.tensor(y[None]))
        value.backward()
        values.append(value.detach())
        gradients.append(s.grad[0])
    result = {"scores": scores, "labels": labels.astype("int32")}
    return {**result, "loss": np.stack(values), "gradient": np.stack(gradients)}


def focal_tversky():
    settings = {"alpha": 0.3, "beta": 0.7, "gamma": 0.75, "smooth": 1.0}
    result = run(FocalTverskyLoss(**settings), *binary_images(53))
    write("pytorch_optimizer_focal_tversky", "pytorch_optimizer", **settings, **result)


def jaccard():
    loss = JaccardLoss("multiclass", label_smooth=1.0)
    write("pytorch_optimizer_jaccard", "pytorch_optimizer", smooth=1.0, **run(loss, *images(59)))


def lovasz_hinge():
    scores, labels = binary_images(61)
    labels[2] = 0  # an image without foreground
    write(
        "pytorch_optimizer_lovasz_hinge",
        "pytorch_optimizer",
        **run(LovaszHingeLoss(), scores, labels),
    )


def generalized_dice():
    scores, labels = images(67)
    labels[2][labels[2] == 3] = 0  # a class that is absent

    def loss(s, y):
        exact = GeneralizedDiceLoss(softmax=True, to_onehot_y=True, smooth_nr=0.0, smooth_dr=0.0)
        return exact(s, y[:, None])

    write("monai_generalized_dice", "monai", **run(loss, scores, labels))


def lovasz_softmax():
    """For classes "present" and "all"; one of the images lacks a class."""
    scores, labels = images(71)
    labels[2][labels[2] == 3] = 0
    arrays = {}
    for classes in ("present", "all"):

        def loss(s, y, classes=classes):
            return _lovasz_softmax(s.softmax(1), y, classes=classes)

        result = run(loss, scores, labels, torch.float32)  # the peer takes nothing else
        arrays |= {f"{classes}_loss": result["loss"], f"{classes}_gradient": result["gradient"]}
    arrays |= {"scores": scores, "labels": labels.astype("int32")}
    write("smp_lovasz_softmax", "segmentation_models_pytorch", **arrays)


if __name__ == "__main__":
    focal_tversky()
    jaccard()
    lovasz_hinge()
    generalized_dice()
    lovasz_softmax()
