"""A small network for tables: numbers, classes or labels from the columns of a CSV file.

By default it predicts the progression of diabetes from the ten measurements that ship with
scikit-learn. `--data` takes wine, breast_cancer or iris by name, or your own CSV file:

    python recipes/tabular_mlp.py
    python recipes/tabular_mlp.py --data breast_cancer
    python recipes/tabular_mlp.py --data path/to/table.csv --target price
    python recipes/tabular_mlp.py predict new_rows.csv

The target decides the task: numbers are a regression, two values a binary and more values a
multi-class classification, several columns of 0 and 1 are labels.
"""

from kcatalog.recipe import Recipe, tuning
from kcatalog.recipe.data import Tables
from kcatalog.recipe.tasks import baselines, of, steps_per_epoch

import keras
import numpy as np
from keras import layers

BATCH_SIZE, EPOCHS = 32, 60

# data: standardized numbers, a 1 for each category, trend and seasons of dates
source = Tables(default="diabetes")


def build(hp, data):
    """Build a skip connection, which is the linear model, around two dense layers."""
    row = keras.Input(data.input_shape, dtype="float32", name=data.input_name)
    units = hp.Choice("units", [32, 64, 128], default=64)
    rate = hp.Float("dropout", 0.0, 0.5, default=0.2)
    x = layers.Dropout(rate / 2)(row)
    for _ in range(2):
        x = layers.Dense(units, activation="relu", kernel_initializer="he_normal")(x)
        x = layers.Dropout(rate)(x)
    x = layers.Concatenate()([row, x])
    (outputs,) = of(data).output_shape(data)
    x = layers.Dense(outputs, kernel_initializer="zeros", dtype="float32")(x)
    model = keras.Model(row, in_units(x, data))
    model.compile(optimizer(hp, data), loss(data), metrics=metrics(data))
    return model


def in_units(x, data):
    """Scale numbers to the mean and the deviation of the target; logits stay as they are."""
    if data.classes:
        return x
    y = data.train[1].reshape(len(data.train[1]), -1).astype("float64")
    mean, scale = y.mean(axis=0), np.maximum(y.std(axis=0), 1e-12)
    return layers.Rescaling(scale.tolist(), mean.tolist(), dtype="float32")(x)


def loss(data):
    """Return the loss for numbers, for one class a row, or for yes and no."""
    if not data.classes:
        return "mean_absolute_error"
    if of(data).activation == "softmax":
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return keras.losses.BinaryCrossentropy(from_logits=True)


def metrics(data):
    """Return the accuracy for one class a row."""
    return ["accuracy"] if of(data).activation == "softmax" else []


def optimizer(hp, data):
    """Adam with weight decay; the learning rate falls to nothing."""
    rate = keras.optimizers.schedules.CosineDecay(
        hp.Float("learning_rate", 1e-3, 1e-2, sampling="log", default=3e-3),
        decay_steps=EPOCHS * steps_per_epoch(data, BATCH_SIZE),
    )
    optimizers = ["keras.optimizers.AdamW", "keras.optimizers.Nadam"]
    return tuning.optimizer(hp, optimizers, fixed={"learning_rate": rate})


recipe = Recipe(
    "tabular_mlp",
    source,
    build,
    baseline=baselines.gradient_boosting,
    epochs=EPOCHS,
    trials=3,
    trial_epochs=20,
    batch_size=BATCH_SIZE,
)

if __name__ == "__main__":
    recipe.main()
