"""A recurrent network that reads a text and says which class it belongs to.

By default it learns the chapters of Python's library manual: it reads a docstring of the standard
library and says which chapter documents its module. `--data` takes your own folder with one
subfolder of text files per class, or a CSV file with a column of texts and one of labels:

    python recipes/text_classifier.py
    python recipes/text_classifier.py --data path/to/folder
    python recipes/text_classifier.py --data reviews.csv --text review --label score
    python recipes/text_classifier.py predict some.txt other.txt
"""

import kcatalog
from kcatalog.card import Part
from kcatalog.recipe import Recipe, tuning
from kcatalog.recipe.data import Documents
from kcatalog.recipe.tasks import baselines

import keras
import numpy as np
from keras import layers, ops

BATCH_SIZE = 32
WORDS, CHARACTERS = 16_384, 512  # entries of the tables of words and of characters
PAIRS = 3 * WORDS  # entries of the table of neighbouring words

# data: the code points of each word, zeros for padding, and class indices
source = Documents(default="python", steps=64)


def build(hp, data):
    """Read words and their spelling in both directions; single words and pairs vote as well."""
    codes = keras.Input((None, *data.input_shape[1:]), dtype="int32", name=data.input_name)
    real, numbers = ops.any(codes > 0, axis=-1), word_numbers(codes)
    units = hp.Choice("units", [32, 64, 128], default=64)
    words = x = layers.Embedding(WORDS, 64)(numbers)
    if hp.Boolean("subwords", default=True):
        x = ops.concatenate([x, spelling(codes)], axis=-1)

    rate = hp.Float("dropout", 0.1, 0.5, default=0.4)
    word_rate = hp.Float("word_dropout", 0.0, 0.5, default=0.3)
    x = word_dropout(word_rate)(kcatalog.layers.VariationalDropout(rate)(x))
    recurrent = {"GRU": layers.GRU, "LSTM": layers.LSTM}[hp.Choice("recurrent", ["GRU", "LSTM"])]
    x = layers.Bidirectional(recurrent(units, return_sequences=True))(x, mask=real)
    pooling = [
        "kcatalog.layers.AttentionPooling1D",
        Part("kcatalog.layers.MaskedPooling1D", mode="max"),
    ]
    x = tuning.choose(hp, "pooling", pooling, fixed={"num_queries": 1})(x, mask=real)
    mean = kcatalog.layers.MaskedPooling1D("mean")(words, mask=real)  # in no order
    x = layers.Dropout(rate)(ops.concatenate([x, mean], axis=-1))
    logits = layers.Dense(len(data.classes), dtype="float32")(x)
    logits = logits + votes(numbers, real, len(data.classes), word_rate)
    model = keras.Model(codes, logits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer(hp), loss, metrics=["accuracy"])
    return model


def word_numbers(codes):
    """Return a number for each word, a hash of its characters: some words share one."""
    places = np.arange(1, codes.shape[-1] + 1) * 2_654_435_761 % 4093  # unlike each other
    return ops.sum(codes % 65_521 * places.astype("int32"), axis=-1) % WORDS


def spelling(codes):
    """Return what a convolution finds anywhere in a word, such as its ending."""
    x = layers.Embedding(CHARACTERS, 8)(codes % CHARACTERS)
    return ops.max(layers.Conv2D(32, (1, 3), padding="same", activation="relu")(x), axis=2)


def votes(numbers, real, classes, rate):
    """Return what single words and pairs of neighbours say of each class, whatever their order."""
    pairs = WORDS + (31 * numbers[:, :-1] + numbers[:, 1:]) % PAIRS
    table = layers.Embedding(WORDS + PAIRS, classes, "zeros", dtype="float32")
    mean = kcatalog.layers.MaskedPooling1D("mean", dtype="float32")
    of_words = mean(word_dropout(rate)(table(numbers)), mask=real)
    of_pairs = mean(word_dropout(rate)(table(pairs)), mask=real[:, 1:])
    return 16 * (of_words + of_pairs)  # so that few steps of Adam are enough


def word_dropout(rate):
    """Return the layer that leaves out whole words."""
    return layers.Dropout(rate, noise_shape=(None, None, 1))


def optimizer(hp):
    """Adam or Nadam with clipped gradients."""
    rate = hp.Float("learning_rate", 5e-4, 4e-3, sampling="log", default=2e-3)
    return tuning.optimizer(
        hp,
        ["keras.optimizers.Adam", "keras.optimizers.Nadam"],
        fixed={"learning_rate": rate, "clipnorm": 1.0},
    )


recipe = Recipe(
    "text_classifier",
    source,
    build,
    baseline=baselines.word_frequencies,
    epochs=8,
    trials=2,
    trial_epochs=2,
    batch_size=BATCH_SIZE,
)

if __name__ == "__main__":
    recipe.main()
