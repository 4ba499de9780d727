"""The default model of recipes/embedding_triplet.py in plain Keras.

Usage: `embedding_triplet_keras.py EPOCHS`."""

import sys

import keras
from clock import clock
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

import kcatalog

keras.utils.set_random_seed(0)
x, y = load_digits(return_X_y=True)
x = (x.reshape(-1, 8, 8, 1) * (255 / 16)).astype("uint8")
x, _, y, _ = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
x, x_val, y, y_val = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
batches = kcatalog.samplers.MPerClass(x, y, 10, 4, steps_per_epoch=30)

images = keras.Input((8, 8, 1), dtype="uint8")
z = layers.RandomTranslation(0.1, 0.1, fill_mode="constant")(layers.Rescaling(1 / 255)(images))
z = layers.RandomRotation(0.03, fill_mode="constant")(z)
for filters in (32, 32, "pool", 64, 64):
    if filters == "pool":
        z = layers.MaxPooling2D()(z)
    else:
        z = layers.Conv2D(filters, 3, padding="same", use_bias=False)(z)
        z = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(z))
z = layers.Dense(32)(layers.Dropout(0.2)(layers.Flatten()(z)))
model = keras.Model(images, layers.UnitNormalization()(z))
rate = keras.optimizers.schedules.CosineDecay(3e-3, 60 * 30)
model.compile(
    keras.optimizers.AdamW(rate, weight_decay=0.004, clipnorm=1.0),
    kcatalog.losses.TripletSemiHard(margin=0.4),
)


class Nearest(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs):
        known, found = (self.model.predict(a, batch_size=512, verbose=0) for a in (x, x_val))
        logs["val_recall_at_1"] = KNeighborsClassifier(1).fit(known, y).score(found, y_val)


model.fit(
    batches,
    epochs=int(sys.argv[1]),
    shuffle=False,
    validation_data=(x_val, y_val),
    validation_batch_size=512,
    callbacks=[
        Nearest(),
        keras.callbacks.ModelCheckpoint(
            "best.keras", "val_recall_at_1", mode="max", save_best_only=True
        ),
        clock(),
    ],
    verbose=2,
)
