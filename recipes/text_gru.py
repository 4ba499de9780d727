"""A GRU that predicts the next character of a text, and so continues it.

By default it learns the Python language reference, which ships with Python. `--data` takes any text
file:

    python recipes/text_gru.py
    python recipes/text_gru.py --data path/to/text.txt
    python recipes/text_gru.py predict beginning.txt --length 500
"""

import kcatalog
from kcatalog.recipe import Recipe, tuning
from kcatalog.recipe.data import Text
from kcatalog.recipe.tasks import baselines, steps_per_epoch

import keras
import numpy as np
from keras import layers, ops

BATCH_SIZE = 32
LEAST_STEPS = 30  # between falls of the learning rate


# data: windows of Unicode code points, and at each place the index of what follows
source = Text(default="python", length=128, context=1024)


def build(hp, data):
    """Characters become vectors, GRUs carry what was read, a dense layer rates what follows."""
    codes = keras.Input((None,), dtype="int32", name=data.input_name)
    alphabet = np.array([ord(character) for character in data.classes], "int32")
    one_hot = ops.equal(ops.expand_dims(codes, -1), alphabet)  # all zeros: a character unknown
    x = ops.cast(one_hot, keras.config.floatx())
    x = layers.Dense(hp.Choice("embedding", [32, 64], default=64), use_bias=False)(x)

    units = hp.Choice("units", [128, 192, 256], default=256)
    rate = hp.Float("dropout", 0.0, 0.3, default=0.1)
    for _ in range(hp.Int("layers", 1, 2, default=1)):
        x = layers.GRU(units, return_sequences=True)(x)
        x = kcatalog.layers.VariationalDropout(rate)(x)
    model = keras.Model(codes, layers.Dense(len(alphabet), dtype="float32")(x))
    model.compile(optimizer(hp, data), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def optimizer(hp, data):
    """Adam's family with clipped gradients; the learning rate falls by a fifth each epoch, or
    more slowly where an epoch has few steps."""
    size = tuning.batch_size(hp, data, BATCH_SIZE)
    rate = keras.optimizers.schedules.ExponentialDecay(
        hp.Float("learning_rate", 2e-3, 8e-3, sampling="log", default=5e-3),
        decay_steps=max(LEAST_STEPS, steps_per_epoch(data, size)),
        decay_rate=0.8,
    )
    return tuning.optimizer(
        hp,
        ["keras.optimizers.Adam", "keras.optimizers.AdamW"],
        wrappers=[None, "kcatalog.optimizers.AdaptiveGradientClipping"],
        fixed={"learning_rate": rate, "clipnorm": 1.0},
    )


recipe = Recipe(
    "text_gru",
    source,
    build,
    baseline=baselines.n_gram,
    epochs=14,
    trials=2,
    trial_epochs=1,
    batch_size=BATCH_SIZE,
)

if __name__ == "__main__":
    recipe.main()
