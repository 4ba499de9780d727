"""Writes the paths of pytorch_optimizer's and PyTorch's peers of wrappers (see README.md)."""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytorch_optimizer
import torch

from tests.optimizers.problems import paths

FOLDER = Path(__file__).parent
PEER = f"pytorch_optimizer {version('pytorch_optimizer')}, torch {torch.__version__}"
torch.set_default_dtype(torch.float64)

LR, BETA_1, BETA_2 = 2**-4, 0.75, 1 - 2**-10  # as in make_tfa_optimizers.py


def layerwise(weights):
    """AdamW whose learning rate halves from each weight to the next: timm's parameter groups."""
    groups = [{"params": [w], "lr": LR * 0.5**i} for i, w in enumerate(weights)]
    return torch.optim.AdamW(groups, betas=(BETA_1, BETA_2), eps=1e-14, weight_decay=2**-4)


# By the name of the golden file: from a list of weights to an optimizer.
OPTIMIZERS = {
    "pytorch_optimizer_cautious_lion": lambda weights: pytorch_optimizer.Lion(
        weights, lr=2**-6, betas=(BETA_1, 1 - 2**-6), cautious=True
    ),
    "pytorch_optimizer_ortho_grad": lambda weights: pytorch_optimizer.OrthoGrad(
        torch.optim.SGD(weights, lr=LR, momentum=BETA_1)
    ),
    "torch_layerwise_adamw": layerwise,
}


def steps(make):
    def step_of(start):
        weights = [torch.nn.Parameter(torch.tensor(w)) for w in start]
        optimizer = make(weights)

        def step(gradients):
            for w, g in zip(weights, gradients, strict=True):
                w.grad = torch.tensor(g)
            optimizer.step()
            return [w.detach().numpy() for w in weights]

        return step

    return step_of


for name, make in OPTIMIZERS.items():
    np.savez_compressed(FOLDER / f"{name}.npz", peer=np.array(PEER), **paths(steps(make)))
