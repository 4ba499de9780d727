"""A sparse feed-forward network that classifies the rows of a table, by margin or by probability.

By default it tells malignant from benign tumours by the 30 measurements that ship with
scikit-learn. `--data` takes wine, iris or digits by name, or your own CSV file:

    python recipes/margin_mlp.py
    python recipes/margin_mlp.py --data digits
    python recipes/margin_mlp.py --data path/to/table.csv --target survived --categorical class
    python recipes/margin_mlp.py predict new_rows.csv

Keras's `FeatureSpace` makes features of the columns: standardized numbers, and a 1 for each
category. Evaluation reports the sparsity of the trained weights beside the accuracy. A regularizer
leaves weights near zero and not at zero, so those below a thousandth of their kernel's largest are
counted, too; the wrapper `ProximalRegularization` makes zeros.
"""

import itertools

from kcatalog.recipe import Recipe, tuning
from kcatalog.recipe.data import FeatureTables
from kcatalog.recipe.tasks import baselines, steps_per_epoch

import keras
import numpy as np
from keras import layers

BATCH_SIZE, EPOCHS = 32, 60
NEGLIGIBLE = 1e-3  # of the largest weight of a kernel

# data: a matrix of features and class indices
source = FeatureTables(default="breast_cancer")


def build(hp, data):
    """Build hidden layers of ReLU units with penalized kernels, and a score for each class."""
    row = keras.Input(data.input_shape, dtype="float32", name=data.input_name)
    units = hp.Choice("units", [32, 64, 128], default=64)
    rate = hp.Float("dropout", 0.0, 0.5, default=0.2)
    penalties = ["keras.regularizers.L1", "kcatalog.regularizers.GroupLasso", None]
    factor = hp.Float("penalty", 1e-5, 1e-2, sampling="log", default=1e-3)
    penalty = tuning.choose(hp, "regularizer", penalties, fixed={"l1": factor, "factor": factor})
    x = row
    for _ in range(hp.Int("hidden_layers", 1, 2, default=2)):
        x = layers.Dense(
            units,
            activation="relu",
            kernel_initializer="he_normal",
            kernel_regularizer=penalty,
        )(x)
        x = layers.Dropout(rate)(x)
    x = layers.Dense(len(data.classes), kernel_regularizer=penalty, dtype="float32")(x)
    model = keras.Model(row, x)
    losses = ["kcatalog.losses.CrammerSingerHinge", "keras.losses.SparseCategoricalCrossentropy"]
    loss = tuning.choose(hp, "loss", losses, fixed={"from_logits": True})
    model.compile(optimizer(hp, data), loss, metrics=["accuracy"])
    return model


def optimizer(hp, data):
    """Choose an optimizer and a wrapper; the learning rate falls to nothing."""
    rate = keras.optimizers.schedules.CosineDecay(
        hp.Float("learning_rate", 1e-3, 1e-2, sampling="log", default=3e-3),
        decay_steps=EPOCHS * steps_per_epoch(data, BATCH_SIZE),
    )
    optimizers = ["keras.optimizers.Adam", "kcatalog.optimizers.Yogi", "kcatalog.optimizers.Adan"]
    wrappers = [None, "kcatalog.optimizers.ProximalRegularization", "kcatalog.optimizers.Lookahead"]
    return tuning.optimizer(hp, optimizers, wrappers, fixed={"learning_rate": rate})


def sparsity(model):
    """Return the shares of weights, hidden units and features that can be left out.

    A weight is negligible below `NEGLIGIBLE` times the largest of its kernel. A hidden unit has no
    effect if all its inputs or all its outputs are negligible, a feature if all its outputs are.
    """
    kernels = [x.get_weights()[0] for x in model.layers if isinstance(x, layers.Dense)]
    small = [np.abs(w) < NEGLIGIBLE * max(np.abs(w).max(), 1e-30) for w in kernels]
    idle = [a.all(axis=0) | b.all(axis=1) for a, b in itertools.pairwise(small)]
    shares = {
        "weights that are zero": np.concatenate([w.ravel() == 0 for w in kernels]),
        f"weights below {NEGLIGIBLE:g} of the largest": np.concatenate([s.ravel() for s in small]),
        "hidden units without effect": np.concatenate(idle),
        "features without effect": small[0].all(axis=1),
    }
    return {f"share of {name}": float(found.mean()) for name, found in shares.items()}


recipe = Recipe(
    "margin_mlp",
    source,
    build,
    baseline=baselines.best(baselines.logistic_regression, baselines.gradient_boosting),
    measures=sparsity,
    epochs=EPOCHS,
    trials=6,
    trial_epochs=20,
    batch_size=BATCH_SIZE,
)

if __name__ == "__main__":
    recipe.main()
