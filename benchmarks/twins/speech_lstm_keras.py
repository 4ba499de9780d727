"""The default model of recipes/speech_lstm.py in plain Keras: `speech_lstm_keras.py EPOCHS`."""

import sys
from pathlib import Path

import keras
import numpy as np
from clock import clock
from keras import layers
from sklearn.model_selection import train_test_split

import kcatalog

keras.utils.set_random_seed(0)
file = Path(__file__).parents[2] / "kcatalog/recipe/data/sets/japanese_vowels.npz"
with np.load(file) as arrays:  # the first 270 utterances are the training part
    utterances = np.split(arrays["frames"], np.cumsum(arrays["lengths"])[:-1])[:270]
    y = arrays["speakers"][:270]
x = np.zeros((len(utterances), 29, 12), "float32")
for i, utterance in enumerate(utterances):
    x[i, : len(utterance)] = utterance
x, x_val, y, y_val = train_test_split(
    x, y.astype("int32"), test_size=0.1, stratify=y, random_state=0
)

frames = keras.Input((None, 12))
z = layers.BatchNormalization(momentum=0.9)(layers.Masking()(frames))
z = kcatalog.layers.VariationalDropout(0.2)(layers.GaussianNoise(0.3)(z))
gate_bias = kcatalog.initializers.Chrono(29, 64)
z = layers.Bidirectional(layers.LSTM(64, bias_initializer=gate_bias, unit_forget_bias=False))(z)
model = keras.Model(frames, layers.Dense(9)(layers.Dropout(0.5)(z)))
rate = keras.optimizers.schedules.ExponentialDecay(3e-3, len(x) // 16, 0.9)
model.compile(
    keras.optimizers.AdamW(rate, weight_decay=0.004, clipnorm=1.0),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(
    x[: len(x) // 16 * 16],
    y[: len(x) // 16 * 16],
    batch_size=16,
    epochs=int(sys.argv[1]),
    validation_data=(x_val, y_val),
    callbacks=[
        keras.callbacks.ModelCheckpoint("best.keras", "val_loss", save_best_only=True),
        clock(),
    ],
    verbose=2,
)
