"""A GRU that forecasts a time series: the median, and the interval that holds 80 % of the values.

By default it forecasts half-hourly electricity demand, from data that ship with pmdarima, one day
ahead. `--data` takes a column of your own CSV file:

    python recipes/forecast_gru.py
    python recipes/forecast_gru.py --data path/to/series.csv
    python recipes/forecast_gru.py --data path/to/table.csv:column
    python recipes/forecast_gru.py --data path/to/days.csv --horizon 7 --window 28
    python recipes/forecast_gru.py predict recent.csv

It learns how the coming steps differ from the same steps one season before.
"""

import kcatalog
from kcatalog.recipe import Recipe, tuning
from kcatalog.recipe.data import Series
from kcatalog.recipe.tasks import baselines, steps_per_epoch
from kcatalog.recipe.tasks.forecast import QUANTILES

import keras
import numpy as np
from keras import layers, ops

BATCH_SIZE, EPOCHS, PIECE = 32, 12, 12

# data: windows of raw history, a season and two weeks more; and the day that came next
source = Series(default="taylor", horizon=48, window=672)


def build(hp, data):
    """Differences to the season before, read by a GRU; a median and a band at each step ahead."""
    exact = data.details.dtype  # float64 where float32 would round the steps away
    history = keras.Input(data.input_shape, dtype=exact, name=data.input_name)
    season, horizon = data.details.season, data.test[1].shape[1]
    before = [step % season - season for step in range(horizon)]  # of each step ahead
    scale = float(np.std(data.train[1] - data.train[0][:, before])) or 1.0

    x = ops.cast((history[:, season:] - history[:, :-season]) / scale, "float32")
    x = layers.GaussianNoise(hp.Float("noise", 0.1, 0.5, default=0.3))(x)  # windows overlap
    piece = min(PIECE, x.shape[1])  # six hours, or all of a short window
    pieces = layers.Reshape((-1, piece))(x[:, x.shape[1] % piece :])
    y = layers.GRU(hp.Choice("units", [32, 64, 96], default=32))(pieces)
    y = layers.Dropout(hp.Float("dropout", 0.0, 0.3, default=0.1))(y)
    y = layers.Concatenate()([x, y])  # zeros: before it learns, it forecasts the last season
    y = layers.Dense(3 * horizon, kernel_initializer="zeros", dtype="float32")(y)

    middle, below, above = ops.unstack(layers.Reshape((horizon, 3), dtype="float32")(y), axis=-1)
    quantiles = [middle - ops.softplus(below), middle, middle + ops.softplus(above)]
    last = ops.take(history, [data.input_shape[0] + step for step in before], axis=1)
    outputs = ops.expand_dims(last, -1) + scale * ops.cast(ops.stack(quantiles, axis=-1), exact)
    model = keras.Model(history, outputs)
    loss = kcatalog.losses.Pinball(list(QUANTILES), dtype=exact)
    model.compile(optimizer(hp, data), loss, loss_weights=1 / scale)  # the same in any unit
    return model


def optimizer(hp, data):
    """Adam's family, weights averaged; the learning rate falls to nothing."""
    rate = keras.optimizers.schedules.CosineDecay(
        hp.Float("learning_rate", 1e-3, 4e-3, sampling="log", default=2e-3),
        decay_steps=EPOCHS * steps_per_epoch(data, BATCH_SIZE),
    )
    optimizers = ["keras.optimizers.AdamW", "keras.optimizers.Nadam"]
    return tuning.optimizer(hp, optimizers, fixed={"learning_rate": rate, "use_ema": True})


recipe = Recipe(
    "forecast_gru",
    source,
    build,
    baseline=baselines.ridge,
    epochs=EPOCHS,
    trials=3,
    trial_epochs=6,
    batch_size=BATCH_SIZE,
)

if __name__ == "__main__":
    recipe.main()
