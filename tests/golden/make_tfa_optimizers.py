"""Writes the paths of TensorFlow Addons' optimizers; README.md beside it names the environment."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

from tests.optimizers.problems import paths

FOLDER = Path(__file__).parent
PEER = f"tensorflow-addons {tfa.__version__}, tensorflow {tf.__version__}"
tf.keras.backend.set_floatx("float64")

# TFA keeps hyperparameters in float32: these are exact there.
LR, BETA_1, BETA_2 = 2**-4, 0.75, 1 - 2**-10
OPTIMIZERS = {
    # epsilon tiny: TFA does not correct it for the start of the moments
    "yogi": lambda: tfa.optimizers.Yogi(
        LR, BETA_1, BETA_2, epsilon=1e-14, initial_accumulator_value=0.0
    ),
    "rectified_adam": lambda: tfa.optimizers.RectifiedAdam(
        LR, BETA_1, BETA_2, epsilon=1e-6, sma_threshold=4.0
    ),
    "ada_belief": lambda: tfa.optimizers.AdaBelief(LR, BETA_1, BETA_2, epsilon=1e-6, rectify=False),
    "novo_grad": lambda: tfa.optimizers.NovoGrad(LR, BETA_1, BETA_2, epsilon=1e-6),
    "lazy_adam": lambda: tfa.optimizers.LazyAdam(LR, BETA_1, BETA_2, epsilon=1e-14),
    # 1 - learning_rate is the paper's step size
    "conditional_gradient": lambda: tfa.optimizers.ConditionalGradient(1 - LR, 4.0, epsilon=1e-14),
    "cocob": lambda: tfa.optimizers.COCOB(alpha=100.0),
    "proximal_adagrad": lambda: tfa.optimizers.ProximalAdagrad(
        LR, 0.125, l1_regularization_strength=2**-6, l2_regularization_strength=0.125
    ),
}


def steps(make):
    def step_of(start):
        optimizer, variables = make(), [tf.Variable(w) for w in start]

        def step(gradients):
            optimizer.apply_gradients(zip(map(tf.constant, gradients), variables, strict=True))
            return [v.numpy() for v in variables]

        return step

    return step_of


for name, make in OPTIMIZERS.items():
    np.savez_compressed(
        FOLDER / f"tfa_optimizer_{name}.npz", peer=np.array(PEER), **paths(steps(make))
    )
