"""Writes the paths of TensorFlow Addons' peers of wrappers; README.md names the environment."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

from tests.optimizers.problems import paths

FOLDER = Path(__file__).parent
PEER = f"tensorflow-addons {tfa.__version__}, tensorflow {tf.__version__}"
tf.keras.backend.set_floatx("float64")

LR, BETA_1, BETA_2, DECAY = 2**-4, 0.75, 1 - 2**-10, 2**-6  # exact in float32
legacy = tf.keras.optimizers.legacy
OPTIMIZERS = {
    "sgdw": lambda: tfa.optimizers.SGDW(DECAY, LR, momentum=BETA_1),
    "adamw": lambda: tfa.optimizers.AdamW(DECAY, LR, BETA_1, BETA_2, epsilon=2**-20),
    "adamw_schedule": lambda: tfa.optimizers.AdamW(
        legacy_schedule(), LR, BETA_1, BETA_2, epsilon=2**-20
    ),
}
AVERAGES = {
    "moving_average": {"average_decay": 0.75},
    "moving_average_dynamic": {"average_decay": 0.75, "start_step": 3, "dynamic_decay": True},
}


def legacy_schedule():
    return tf.keras.optimizers.schedules.PiecewiseConstantDecay([4, 20], [2**-6, 2**-7, 0.0])


def steps(make):
    def step_of(start):
        optimizer, variables = make(), [tf.Variable(w) for w in start]

        def step(gradients):
            optimizer.apply_gradients(zip(map(tf.constant, gradients), variables, strict=True))
            return [v.numpy() for v in variables]

        return step

    return step_of


def average_steps(settings):
    """Return the steps of SGD, of which the average is what is kept."""

    def step_of(start):
        optimizer = tfa.optimizers.MovingAverage(legacy.SGD(LR), **settings)
        variables = [tf.Variable(w) for w in start]

        def step(gradients):
            optimizer.apply_gradients(zip(map(tf.constant, gradients), variables, strict=True))
            kept.append([optimizer.get_slot(v, "average").numpy() for v in variables])
            return [v.numpy() for v in variables]

        return step

    kept = []
    return step_of, kept


for name, make in OPTIMIZERS.items():
    np.savez_compressed(
        FOLDER / f"tfa_optimizer_{name}.npz", peer=np.array(PEER), **paths(steps(make))
    )
for name, settings in AVERAGES.items():
    step_of, kept = average_steps(settings)
    paths(step_of)
    averages = [np.concatenate([a.ravel() for a in step]) for step in kept]
    arrays = {
        problem: np.stack(averages[50 * i : 50 * i + 50])
        for i, problem in enumerate(("quadratic", "logistic", "cnn"))
    }
    np.savez_compressed(FOLDER / f"tfa_optimizer_{name}.npz", peer=np.array(PEER), **arrays)
