"""Writes the paths of pytorch_optimizer's and optax's SAM; README.md names the environment."""

from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np
import optax
import torch
from pytorch_optimizer import SAM

from tests.optimizers.problems import function, paths

jax.config.update("jax_enable_x64", True)
torch.set_default_dtype(torch.float64)
FOLDER = Path(__file__).parent
TORCH = f"pytorch_optimizer {version('pytorch_optimizer')}, torch {torch.__version__}"
OPTAX = f"optax {optax.__version__}, jax {jax.__version__}"
LR, MOMENTUM, RADIUS = 2**-4, 0.75, 2**-3


def torch_steps(adaptive):
    def step_of(start):
        weights = [torch.nn.Parameter(torch.tensor(w)) for w in start]
        settings = {"rho": RADIUS, "adaptive": adaptive, "perturb_eps": 0.0}
        optimizer = SAM(weights, torch.optim.SGD, lr=LR, momentum=MOMENTUM, **settings)

        def step(gradients):
            def closure():
                found = gradients([w.detach().numpy() for w in weights])
                for w, g in zip(weights, found, strict=True):
                    w.grad = torch.tensor(g)

            closure()
            optimizer.step(closure)
            return [w.detach().numpy() for w in weights]

        return step

    return step_of


def optax_steps(opaque):
    def step_of(start):
        uphill = optax.chain(optax.contrib.normalize(), optax.sgd(RADIUS))
        inner = optax.sgd(LR, MOMENTUM)
        optimizer = optax.contrib.sam(inner, uphill, opaque_mode=opaque)
        weights, state = start, optimizer.init(start)

        def step(gradients):
            nonlocal weights, state
            found = gradients([np.array(w) for w in weights])
            updates, state = optimizer.update(
                found, state, weights, grad_fn=lambda w, i: gradients([np.array(x) for x in w])
            )
            weights = optax.apply_updates(weights, updates)
            return weights

        return step

    return step_of


for name, peer, step_of in [
    ("pytorch_optimizer_sam", TORCH, torch_steps(adaptive=False)),
    ("pytorch_optimizer_asam", TORCH, torch_steps(adaptive=True)),
    ("optax_sam", OPTAX, optax_steps(opaque=True)),
    ("optax_alternating_sam", OPTAX, optax_steps(opaque=False)),
]:
    found = paths(step_of, given=function)
    np.savez_compressed(FOLDER / f"{name}.npz", peer=np.array(peer), **found)
