"""The default model of recipes/text_gru.py in plain Keras: `text_gru_keras.py EPOCHS`."""

import sys
from pydoc_data.topics import topics

import keras
import numpy as np
from clock import clock
from keras import layers

import kcatalog

keras.utils.set_random_seed(0)
text = "".join(topics[name] for name in sorted(topics))
alphabet = sorted(set(text))
codes = np.searchsorted(alphabet, list(text)).astype("int32")


def windows(codes, length):
    count = -(-(len(codes) - 1) // length)
    length = (len(codes) - 1) // count
    return codes[: count * length].reshape(count, -1), codes[1 : count * length + 1].reshape(
        count, -1
    )


x, y = windows(codes[: round(0.85 * len(codes))], 128)
validation = windows(codes[round(0.85 * len(codes)) : round(0.9 * len(codes))], 1024)

characters = keras.Input((None,), dtype="int32")
z = layers.Embedding(len(alphabet), 64, embeddings_initializer="glorot_uniform")(characters)
z = kcatalog.layers.VariationalDropout(0.1)(layers.GRU(256, return_sequences=True)(z))
model = keras.Model(characters, layers.Dense(len(alphabet))(z))
rate = keras.optimizers.schedules.ExponentialDecay(5e-3, len(x) // 32, 0.8)
model.compile(
    keras.optimizers.Adam(rate, clipnorm=1.0),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)
model.fit(
    x[: len(x) // 32 * 32],
    y[: len(x) // 32 * 32],
    batch_size=32,
    epochs=int(sys.argv[1]),
    validation_data=validation,
    callbacks=[
        keras.callbacks.ModelCheckpoint("best.keras", "val_loss", save_best_only=True),
        clock(),
    ],
    verbose=2,
)
