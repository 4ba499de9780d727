"""The default model of recipes/forecast_gru.py in plain Keras.

Usage: `forecast_gru_keras.py EPOCHS`."""

import sys

import keras
import numpy as np
from clock import clock
from keras import layers, ops
from pmdarima.datasets import load_taylor

import kcatalog

keras.utils.set_random_seed(0)
SEASON, HISTORY, HORIZON = 336, 1008, 48
demand = load_taylor(as_series=False).astype("float32")
windows = np.lib.stride_tricks.sliding_window_view(demand[:-672], HISTORY + HORIZON)
train, validation = windows[: len(windows) - 336], windows[-336 + HORIZON - 1 :]
x, y, x_val, y_val = (
    part for w in (train, validation) for part in (w[:, :HISTORY], w[:, HISTORY:])
)
before = [step - SEASON for step in range(HORIZON)]
scale = float(np.std(y - x[:, before]))

history = keras.Input((HISTORY,))
z = layers.GaussianNoise(0.3)((history[:, SEASON:] - history[:, :-SEASON]) / scale)
state = layers.Dropout(0.1)(layers.GRU(32)(layers.Reshape((-1, 12))(z)))
z = layers.Dense(3 * HORIZON, kernel_initializer="zeros")(layers.Concatenate()([z, state]))
middle, below, above = ops.split(layers.Reshape((HORIZON, 3))(z), 3, axis=-1)
quantiles = [middle - ops.softplus(below), middle, middle + ops.softplus(above)]
last = ops.take(history, [HISTORY + step for step in before], axis=1)
outputs = ops.expand_dims(last, -1) + scale * ops.concatenate(quantiles, axis=-1)
model = keras.Model(history, outputs)
rate = keras.optimizers.schedules.CosineDecay(2e-3, 12 * (len(x) // 32))
model.compile(
    keras.optimizers.AdamW(rate, weight_decay=0.004, use_ema=True),
    kcatalog.losses.Pinball([0.1, 0.5, 0.9]),
)
model.fit(
    x[: len(x) // 32 * 32],
    y[: len(x) // 32 * 32],
    batch_size=32,
    epochs=int(sys.argv[1]),
    validation_data=(x_val, y_val),
    validation_batch_size=512,
    callbacks=[
        keras.callbacks.ModelCheckpoint("best.keras", "val_loss", save_best_only=True),
        clock(),
    ],
    verbose=2,
)
