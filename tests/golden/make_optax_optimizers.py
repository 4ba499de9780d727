"""Writes the paths of optax's optimizers; README.md beside it names the environment."""

from pathlib import Path

import jax
import numpy as np
import optax
import optax.contrib

from tests.optimizers.problems import paths

jax.config.update("jax_enable_x64", True)
FOLDER = Path(__file__).parent
PEER = f"optax {optax.__version__}, jax {jax.__version__}"

LR, BETA_1, BETA_2 = 2**-4, 0.75, 1 - 2**-10  # as in make_tfa_optimizers.py
OPTIMIZERS = {
    # started at 0: optax starts the first moment at the value of the second
    "yogi": lambda: optax.chain(
        optax.scale_by_yogi(BETA_1, BETA_2, eps=1e-2, initial_accumulator_value=0.0),
        optax.scale(-LR),
    ),
    "schedule_free_sgd": lambda: optax.contrib.schedule_free_sgd(LR, b1=BETA_1),
    "rectified_adam": lambda: optax.radam(LR, BETA_1, BETA_2, eps=1e-6, threshold=4.0),
    "ada_belief": lambda: optax.adabelief(LR, BETA_1, BETA_2, eps=1e-6, eps_root=1e-6),
    # where the two conventions for the second decay agree
    "adan": lambda: optax.adan(LR, BETA_1, 0.5, BETA_2, eps=1e-6, eps_root=0.0),
    "ademamix": lambda: optax.contrib.ademamix(LR, BETA_1, BETA_2, 1 - 2**-7, alpha=4.0, eps=1e-6),
    "adopt": lambda: optax.contrib.adopt(LR, BETA_1, BETA_2, eps=1e-6),
    # it adds eps to the rate
    "madgrad": lambda: optax.contrib.madgrad(LR - 1e-6, momentum=0.75, eps=1e-6),
    "novo_grad": lambda: optax.novograd(LR, BETA_1, BETA_2, eps=1e-6),
    "signum": lambda: optax.signum(LR, BETA_1),
    "sign_sgd": lambda: optax.sign_sgd(LR),
    "lars": lambda: optax.lars(0.25, trust_coefficient=2**-7, momentum=0.75),
    "lamb": lambda: optax.lamb(2**-7, BETA_1, BETA_2, eps=1e-6, weight_decay=2**-5),
    "prodigy": lambda: optax.contrib.prodigy(1.0, (BETA_1, BETA_2), eps=1e-14, estim_lr0=2**-10),
}


def steps(make):
    def step_of(start):
        optimizer = make()
        state = {"weights": start, "optimizer": optimizer.init(start)}

        def step(gradients):
            updates, state["optimizer"] = optimizer.update(
                gradients, state["optimizer"], state["weights"]
            )
            state["weights"] = optax.apply_updates(state["weights"], updates)
            return state["weights"]

        return step

    return step_of


for name, make in OPTIMIZERS.items():
    np.savez_compressed(
        FOLDER / f"optax_optimizer_{name}.npz", peer=np.array(PEER), **paths(steps(make))
    )
