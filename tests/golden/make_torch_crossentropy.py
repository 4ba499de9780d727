"""Writes the golden values of PyTorch's cross-entropies; README.md names the environment."""

import importlib.metadata
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import torch
from pytorch_optimizer import LDAMLoss
from pytorch_optimizer.loss.bi_tempered import bi_tempered_logistic_loss

FOLDER = Path(__file__).parent
for name in ("timm", "timm.loss"):  # importable without running their `__init__`, which needs more
    package = types.ModuleType(name)
    package.__path__ = list(importlib.util.find_spec(name).submodule_search_locations)
    sys.modules[name] = package

from timm.loss.asymmetric_loss import AsymmetricLossMultiLabel  # noqa: E402


def write(name, peer, **arrays):
    versions = [f"{p} {importlib.metadata.version(p).split('+')[0]}" for p in (peer, "torch")]
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    np.savez_compressed(FOLDER / f"{name}.npz", peer=np.array(", ".join(versions)), **arrays)


def float32(x):
    return np.asarray(x, dtype="float32")


def losses_and_gradients(functions, scores):
    """Each function of the scores, and the gradient of its sum, in float64."""
    losses, gradients = [], []
    for function in functions:
        s = torch.tensor(scores, dtype=torch.float64, requires_grad=True)
        loss = function(s)
        loss.sum().backward()
        losses.append(loss.detach().numpy())
        gradients.append(s.grad.numpy())
    return {"loss": losses, "gradient": gradients}


class InDouble(AsymmetricLossMultiLabel):
    """The peer's loss without its rounding to float32."""

    def forward(self, x, y):
        x.float = lambda: x
        return super().forward(x, y)


def asymmetric():
    """One loss for each label; rows: gamma_negative, gamma_positive, clip, gradient of weights."""
    rng = np.random.default_rng(43)
    scores, targets = float32(3 * rng.normal(size=(8, 5))), rng.integers(0, 2, size=(8, 5))
    settings = [(4, 1, 0.05, 1), (4, 1, 0.05, 0), (2, 0, 0, 1), (3, 2, 0, 0), (2, 1, 0.2, 1)]
    y = torch.tensor(targets, dtype=torch.float32)
    functions = [
        lambda s, n=n, p=p, m=m, g=g: InDouble(n, p, m, 0.0, not g, reduction="none")(s, y)
        for n, p, m, g in settings
    ]
    arrays = {"scores": scores, "targets": targets.astype("int32"), "settings": settings}
    write("timm_asymmetric", "timm", **arrays, **losses_and_gradients(functions, scores))


def bi_tempered():
    """Rows: t1, t2, the peer's label smoothing. Normalized by 200 iterations, not by its 5."""
    rng = np.random.default_rng(47)
    scores, labels = float32(3 * rng.normal(size=(8, 5))), rng.integers(0, 5, size=8)
    settings = [(0.8, 1.2, 0.0), (0.2, 4.0, 0.0), (0.5, 1.0, 0.0), (0.9, 2.0, 0.1)]
    one_hot = torch.eye(5, dtype=torch.float64)[torch.tensor(labels)]

    def functions(iterations):
        return [
            lambda s, t1=t1, t2=t2, smooth=smooth: bi_tempered_logistic_loss(
                s, one_hot, t1, t2, smooth, iterations, "none"
            )
            for t1, t2, smooth in settings
        ]

    arrays = {"scores": scores, "labels": labels.astype("int32"), "settings": settings}
    usual = losses_and_gradients(functions(5), scores)["loss"]
    exact = losses_and_gradients(functions(200), scores)
    write("pytorch_optimizer_bi_tempered", "pytorch_optimizer", **arrays, **exact, usual=usual)


def ldam():
    """The mean over samples, which is all that the peer gives, and its gradient."""
    rng = np.random.default_rng(53)
    scores, labels = float32(rng.uniform(-1, 1, size=(8, 4))), rng.integers(0, 4, size=8)
    counts, settings = [5000, 700, 60, 8], [(0.5, 30.0), (0.2, 10.0)]
    functions = [
        lambda s, m=m, k=k: LDAMLoss(counts, m, s=k)(s, torch.tensor(labels)) for m, k in settings
    ]
    arrays = {"scores": scores, "labels": labels.astype("int32")}
    arrays |= {"counts": counts, "settings": settings}
    results = losses_and_gradients(functions, scores)
    write("pytorch_optimizer_ldam", "pytorch_optimizer", **arrays, **results)


if __name__ == "__main__":
    asymmetric()
    bi_tempered()
    ldam()
