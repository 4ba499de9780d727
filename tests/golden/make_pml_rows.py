"""Writes values of pytorch-metric-learning's rows that no other golden file holds."""

import importlib.metadata
from pathlib import Path

import numpy as np
import torch
from pytorch_metric_learning import losses, regularizers

FOLDER = Path(__file__).parent
VERSION = importlib.metadata.version("pytorch-metric-learning")
PEER = f"pytorch-metric-learning {VERSION}, torch {torch.__version__}"


def main():
    rng = np.random.default_rng(47)
    labels = rng.permutation(np.repeat(np.arange(3), 4)).astype("int32")
    x = rng.normal(size=(12, 5)).astype("float32")
    e, y = torch.tensor(x), torch.tensor(labels)
    values = {
        "CircleLoss": losses.CircleLoss(m=0.3, gamma=20)(e, y),
        "CircleLoss, default": losses.CircleLoss()(e, y),
        "LpRegularizer": regularizers.LpRegularizer(p=2, power=2)(e),
    }
    for key, value in values.items():
        values[key] = np.asarray(value)
        print(key, values[key])
    np.savez_compressed(FOLDER / "pml_rows.npz", peer=np.array(PEER), x=x, labels=labels, **values)


if __name__ == "__main__":
    main()
