"""Writes the rates of TensorFlow Addons' schedules; README.md beside it names the environment."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

FOLDER = Path(__file__).parent
PEER = f"tensorflow-addons {tfa.__version__}, tensorflow {tf.__version__}"
BOUNDS = {"initial_learning_rate": np.float64(0.125), "maximal_learning_rate": np.float64(0.75)}

schedules = {
    "triangular": tfa.optimizers.TriangularCyclicalLearningRate(**BOUNDS, step_size=7),
    "triangular2": tfa.optimizers.Triangular2CyclicalLearningRate(**BOUNDS, step_size=7),
    "exponential": tfa.optimizers.ExponentialCyclicalLearningRate(
        **BOUNDS, step_size=7, gamma=np.float64(0.96875)
    ),
}
steps = np.arange(60)
rates = {
    name: [schedule(tf.constant(t, "float64")).numpy() for t in steps]
    for name, schedule in schedules.items()
}
np.savez_compressed(FOLDER / "tfa_schedules.npz", peer=np.array(PEER), **rates)
