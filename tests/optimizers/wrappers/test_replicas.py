import keras
import numpy as np
import pytest

from kcatalog.conformance.backend import as_numpy
from kcatalog.conformance.descent import two_replicas
from kcatalog.optimizers import (
    AdaptiveGradientClipping,
    GradientCentralization,
    Lookahead,
    StochasticWeightAveraging,
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
    return [*model.get_weights(), *(as_numpy(v.value) for v in model.optimizer.variables)]


@pytest.mark.slow
@pytest.mark.tensorflow
def test_reference_is_one_device():
    """Wrappers within wrappers: two replicas end as one device does, the optimizer's state too."""
    import tensorflow as tf

    two = train(two_replicas())
    for a, b in zip(train(tf.distribute.get_strategy()), two, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
