"""Writes the paths of pytorch_optimizer's and PyTorch's optimizers (see README.md)."""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import prodigyopt
import pytorch_optimizer
import schedulefree
import torch

from tests.optimizers.problems import paths

FOLDER = Path(__file__).parent
PEER = ", ".join(f"{p} {version(p)}" for p in ("pytorch_optimizer", "schedulefree", "torch"))
torch.set_default_dtype(torch.float64)

LR, BETA_1, BETA_2 = 2**-4, 0.75, 1 - 2**-10  # as in make_tfa_optimizers.py
# By the name of the golden file: from a list of weights to an optimizer.
OPTIMIZERS = {
    "pytorch_optimizer_yogi": lambda weights: pytorch_optimizer.Yogi(
        weights, lr=LR, betas=(BETA_1, BETA_2), eps=1e-2, initial_accumulator=0.0
    ),
    "pytorch_optimizer_schedule_free": lambda weights: pytorch_optimizer.ScheduleFreeWrapper(
        torch.optim.SGD(weights, lr=LR), momentum=BETA_1
    ),
    "schedulefree_sgd": lambda weights: schedulefree.SGDScheduleFree(
        weights, lr=LR, momentum=BETA_1, weight_decay=2**-6, warmup_steps=8, r=1.0
    ),
    "schedulefree_adamw": lambda weights: schedulefree.AdamWScheduleFree(
        weights, lr=LR, betas=(BETA_1, BETA_2), eps=1e-16, weight_decay=2**-6, warmup_steps=8
    ),
    "torch_rectified_adam": lambda weights: torch.optim.RAdam(
        weights, lr=LR, betas=(BETA_1, BETA_2), eps=1e-14
    ),
    "pytorch_optimizer_ada_belief": lambda weights: pytorch_optimizer.AdaBelief(
        weights, lr=LR, betas=(BETA_1, BETA_2), eps=1e-6
    ),
    "pytorch_optimizer_adan": lambda weights: pytorch_optimizer.Adan(
        weights, lr=LR, betas=(BETA_1, 0.875, BETA_2), eps=1e-6
    ),
    "pytorch_optimizer_ademamix": lambda weights: pytorch_optimizer.AdEMAMix(
        weights,
        lr=LR,
        betas=(BETA_1, BETA_2, 1 - 2**-7),
        alpha=4.0,
        t_alpha_beta3=32,
        eps=1e-6,
    ),
    "pytorch_optimizer_adopt": lambda weights: pytorch_optimizer.ADOPT(
        weights,
        lr=LR,
        betas=(BETA_1, BETA_2),
        eps=1e-6,
        clip_lambda=lambda step: (step - 1) ** 0.25,  # as the authors' code counts
    ),
    # it adds eps to the rate
    "pytorch_optimizer_madgrad": lambda weights: pytorch_optimizer.MADGRAD(
        weights, lr=LR - 1e-6, momentum=0.75, eps=1e-6
    ),
    "pytorch_optimizer_madgrad_plain": lambda weights: pytorch_optimizer.MADGRAD(
        weights, lr=LR - 1e-6, momentum=0.0, eps=1e-6
    ),
    "pytorch_optimizer_novo_grad": lambda weights: pytorch_optimizer.NovoGrad(
        weights, lr=LR, betas=(BETA_1, BETA_2), eps=1e-6
    ),
    "pytorch_optimizer_signum": lambda weights: pytorch_optimizer.SignSGD(
        weights, lr=LR, momentum=BETA_1
    ),
    "pytorch_optimizer_lars": lambda weights: pytorch_optimizer.LARS(
        weights, lr=0.25, weight_decay=0.0625, momentum=0.75, trust_coefficient=2**-7
    ),
    # axes of at most 3: longer ones would have a null space, whose basis rounding chooses
    "pytorch_optimizer_soap": lambda weights: pytorch_optimizer.SOAP(
        weights,
        lr=LR,
        betas=(BETA_1, 0.875),
        weight_decay=0.0,
        precondition_frequency=5,
        max_precondition_dim=3,
        eps=2**-5,
    ),
    "torch_rprop": lambda weights: torch.optim.Rprop(
        weights, lr=LR, etas=(0.5, 1.25), step_sizes=(LR * 2**-10, LR * 64)
    ),
    "prodigyopt_prodigy": lambda weights: prodigyopt.Prodigy(
        weights, betas=(BETA_1, BETA_2), eps=1e-14, d0=2**-10
    ),
}


def steps(make):
    def step_of(start):
        weights = [torch.nn.Parameter(torch.tensor(w.copy())) for w in start]
        optimizer = make(weights)
        getattr(optimizer, "train", lambda: None)()  # of schedule-free ones: the weights are y

        def step(gradients):
            for w, g in zip(weights, gradients, strict=True):
                w.grad = torch.tensor(g.copy())
            optimizer.step()
            return [w.detach().numpy() for w in weights]

        return step

    return step_of


def transposed(step_of):
    """Hand PyTorch its own layout, in which the units of a weight lie along the first axis."""

    def step_of_transposed(start):
        step = step_of([w.T for w in start])
        return lambda gradients: [w.T for w in step([g.T for g in gradients])]

    return step_of_transposed


np.savez_compressed(
    FOLDER / "pytorch_optimizer_adamp.npz",
    peer=np.array(PEER),
    **paths(
        transposed(
            steps(
                lambda weights: pytorch_optimizer.AdamP(
                    weights, lr=LR, betas=(BETA_1, BETA_2), delta=1.0, eps=1e-14
                )
            )
        )
    ),
)

for name, make in OPTIMIZERS.items():
    np.savez_compressed(FOLDER / f"{name}.npz", peer=np.array(PEER), **paths(steps(make)))
