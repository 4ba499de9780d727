"""A GRU that forecasts a series some steps ahead: a median, and a band that holds 80 %.

Half-hourly electricity demand without a network, a day ahead; or a column of your own CSV file:

    python recipes/forecast_gru.py
    python recipes/forecast_gru.py --data path/to/series.csv
    python recipes/forecast_gru.py --data path/to/table.csv:column
    python recipes/forecast_gru.py predict recent.csv

What it learns is how the coming steps differ from the same steps one season before.
"""

import keras
import numpy as np
from keras import layers, ops

import kcatalog
from kcatalog.recipe import Recipe, baselines, tuning
from kcatalog.recipe.data import Series
from kcatalog.recipe.forecasts import QUANTILES

BATCH_SIZE = 32

# data: windows of raw history, and the values that came next
source = Series(default="taylor", horizon=48, window=336)


def build(hp, data):
    """Differences to the season before, read by a GRU; a median and a band at each step ahead."""
    history = keras.Input(data.input_shape, dtype="float32", name=data.input_name)
    season, horizon = data.facts["season"], data.test[1].shape[1]
    before = [step % season - season for step in range(horizon)]  # a season before each step
    x, y = data.train
    scale = float(np.std(y - x[:, before]))

    now, then = history[:, season:], history[:, :-season]
    level = layers.Normalization(axis=None, mean=np.mean(x), variance=np.var(x))
    steps = ops.stack([(now - then) / scale, level(now)], axis=-1)

    units = hp.Choice("units", [64, 96, 128], default=96)
    x = layers.GRU(units)(steps)
    x = layers.Dropout(hp.Float("dropout", 0.0, 0.3, default=0.1))(x)
    x = layers.Dense(3 * horizon, dtype="float32")(x)
    middle, below, above = ops.split(layers.Reshape((horizon, 3))(x), 3, axis=-1)
    quantiles = [middle - ops.softplus(below), middle, middle + ops.softplus(above)]
    last = ops.expand_dims(ops.take(history, [data.input_shape[0] + b for b in before], axis=1), -1)
    model = keras.Model(history, last + scale * ops.concatenate(quantiles, axis=-1))
    model.compile(optimizer(hp, data), kcatalog.losses.Pinball(list(QUANTILES)))
    return model


def optimizer(hp, data):
    """Adam's family with clipped gradients; the learning rate falls by a seventh each epoch."""
    rate = keras.optimizers.schedules.ExponentialDecay(
        hp.Float("learning_rate", 1e-3, 8e-3, sampling="log", default=3e-3),
        decay_steps=max(1, len(data.train[0]) // BATCH_SIZE),
        decay_rate=6 / 7,
    )
    return tuning.optimizer(
        hp, ["keras.optimizers.AdamW", "keras.optimizers.Nadam"], fixed={"learning_rate": rate}
    )


recipe = Recipe(
    "forecast_gru",
    source,
    build,
    baseline=baselines.ridge,
    epochs=15,
    trials=3,
    trial_epochs=5,
    batch_size=BATCH_SIZE,
)

if __name__ == "__main__":
    recipe.main()
