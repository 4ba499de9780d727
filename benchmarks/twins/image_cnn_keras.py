"""The default model of recipes/image_cnn.py in plain Keras: `image_cnn_keras.py EPOCHS`."""

import sys

import keras
from clock import clock
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import kcatalog

keras.utils.set_random_seed(0)
x, y = load_digits(return_X_y=True)
x = (x.reshape(-1, 8, 8, 1) * (255 / 16)).astype("uint8")
x, _, y, _ = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
x, x_val, y, y_val = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)


def convolution(x, filters, kernel_size=3):
    x = layers.Conv2D(filters, kernel_size, padding="same", use_bias=False)(x)
    return layers.BatchNormalization(momentum=0.9)(x)


def residual_block(x, filters):
    y = layers.ReLU()(convolution(x, filters))
    y = kcatalog.layers.SqueezeExcite()(convolution(y, filters))
    return layers.ReLU()(x + kcatalog.layers.StochasticDepth(0.1)(y))


images = keras.Input((8, 8, 1), dtype="uint8")
z = layers.ReLU()(convolution(layers.Rescaling(1 / 255)(images), 32))
z = residual_block(z, 32)
z = residual_block(layers.MaxPooling2D()(convolution(z, 64, kernel_size=1)), 64)
z = layers.Dense(128, use_bias=False)(layers.Dropout(0.3)(layers.Flatten()(z)))
z = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(z))
model = keras.Model(images, layers.Dense(10)(layers.Dropout(0.3)(z)))
rate = keras.optimizers.schedules.ExponentialDecay(2e-3, len(x) // 32, 7 / 8)
model.compile(
    keras.optimizers.AdamW(rate, weight_decay=0.004),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(
    x[: len(x) // 32 * 32],
    y[: len(x) // 32 * 32],
    batch_size=32,
    epochs=int(sys.argv[1]),
    validation_data=(x_val, y_val),
    validation_batch_size=512,
    callbacks=[
        keras.callbacks.ModelCheckpoint("best.keras", "val_accuracy", save_best_only=True),
        clock(),
    ],
    verbose=2,
)
