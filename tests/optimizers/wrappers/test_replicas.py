"""Two replicas against one device, in a process of its own: the CPU is split before TF starts."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import tensorflow as tf
from kcatalog.conformance.descent import two_cpus

devices = two_cpus()
import keras, numpy as np
from kcatalog.optimizers import (
    AdaptiveGradientClipping, GradientCentralization, Lookahead, StochasticWeightAveraging,
)


def optimizer():
    inner = keras.optimizers.Adam(0.1, weight_decay=0.1, clipnorm=0.05, use_ema=True)
    inner = AdaptiveGradientClipping(GradientCentralization(inner), clip_factor=0.05)
    return Lookahead(StochasticWeightAveraging(inner, 3, 2), 2)


def train(strategy):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(56, 5)), rng.normal(size=(56, 2))
    with strategy.scope():
        layers = [keras.Input((5,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(2)]
        model = keras.Sequential(layers)
        model.compile(optimizer(), "mse")
    model.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    return model.get_weights() + [np.array(v.value) for v in model.optimizer.variables]


two = train(tf.distribute.MirroredStrategy(devices))
for a, b in zip(train(tf.distribute.get_strategy()), two, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
print("equal")
"""


@pytest.mark.slow
@pytest.mark.tensorflow
def test_reference_is_one_device():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip().endswith("equal"), done.stderr[-2000:]
