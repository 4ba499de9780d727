"""Writes the golden values of timm's JSD loss and of coral-pytorch's CORN; see README.md."""

import importlib.metadata
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import torch
from coral_pytorch.dataset import corn_label_from_logits
from coral_pytorch.losses import corn_loss

FOLDER = Path(__file__).parent


def only_modules_of(*packages):
    """Makes a package's modules importable without running its `__init__`, which needs more."""
    for name in packages:
        package = types.ModuleType(name)
        package.__path__ = list(importlib.util.find_spec(name).submodule_search_locations)
        sys.modules[name] = package


only_modules_of("timm", "timm.loss")

from timm.loss.jsd import JsdCrossEntropy  # noqa: E402


def write(name, peer, **arrays):
    versions = [f"{p} {importlib.metadata.version(p).split('+')[0]}" for p in (peer, "torch")]
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    np.savez_compressed(FOLDER / f"{name}.npz", peer=np.array(", ".join(versions)), **arrays)


def value_and_gradient(loss, y_pred):
    y_pred = torch.tensor(y_pred, dtype=torch.float64, requires_grad=True)
    value = loss(y_pred)
    value.backward()
    return value.detach().numpy(), y_pred.grad.numpy()


def jsd():
    """Views as the peer has them: the clean batch, then each augmented one, one after another."""
    rng = np.random.default_rng(43)
    logits = (2 * rng.normal(size=(3, 8, 5))).astype("float32")
    logits[1, 0] = logits[2, 0] = logits[0, 0]  # views that agree
    labels = rng.integers(0, 5, size=8)
    results = {}
    for smoothing in (0.0, 0.1):
        loss = JsdCrossEntropy(num_splits=3, alpha=12, smoothing=smoothing)
        target = torch.tensor(np.tile(labels, 3))
        value, gradient = value_and_gradient(
            lambda s, f=loss, t=target: f(s.reshape(24, 5), t), logits
        )
        name = "smooth" if smoothing else "plain"
        results |= {f"{name}_loss": value, f"{name}_gradient": gradient}
    write("timm_jsd", "timm", logits=logits, labels=labels, **results)


def corn():
    """Loss, its gradient, and the ranks read off the logits."""
    rng = np.random.default_rng(47)
    logits = (2 * rng.normal(size=(16, 4))).astype("float32")
    labels = rng.permutation(np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 3, 3, 4, 4, 4, 4]))
    target = torch.tensor(labels)
    value, gradient = value_and_gradient(lambda s: corn_loss(s, target, 5), logits)
    few = torch.tensor(np.minimum(labels, 1))  # the upper tasks have no samples
    few_value, few_gradient = value_and_gradient(lambda s: corn_loss(s, few, 5), logits)
    write(
        "coral_corn",
        "coral-pytorch",
        logits=logits,
        labels=labels,
        loss=value,
        gradient=gradient,
        few_loss=few_value,
        few_gradient=few_gradient,
        ranks=corn_label_from_logits(torch.tensor(logits)),
    )


if __name__ == "__main__":
    jsd()
    corn()
