"""A BiLSTM-CRF that tags the tokens of a sentence, such as names of persons and places.

By default it learns to tag Python: the lines of the standard library's modules, tagged by the
compiler's own syntax tree (names of functions, classes, modules, parameters, what is called, ...).
A compiler knows all of that; the corpus is there to try the recipe without a download. Texts in
it are `"..."`. `--data` takes your own file with a token and its tag in each line, as CoNLL has it:

    python recipes/sequence_tagger.py
    python recipes/sequence_tagger.py --data path/to/eng.train
    python recipes/sequence_tagger.py predict sentences.txt
"""

import kcatalog
from kcatalog.recipe import Recipe, tuning
from kcatalog.recipe.data import Tagged
from kcatalog.recipe.tasks import baselines

import keras
from keras import layers, ops

BATCH_SIZE = 32
ALPHABET, WORDS = 256, 4096  # entries of the tables of characters and of words

# data: the code points of each token, zeros for padding, and the number of each token's tag
source = Tagged(default="python", steps=32)


def build(hp, data):
    """Vectors of words and of their characters, read in both directions; a CRF chooses the tags."""
    codes = keras.Input((None, *data.input_shape[1:]), dtype="int32", name=data.input_name)
    real = ops.any(codes > 0, axis=-1)

    units = hp.Choice("character_units", [32, 64], default=32)
    x = layers.Embedding(ALPHABET, 16)(codes % ALPHABET)
    x = layers.Conv2D(units, (1, 3), padding="same", activation="relu")(x)
    spelling = ops.max(x, axis=2)
    places = ops.arange(1, data.input_shape[1] + 1, dtype="int32") ** 3
    number = ops.sum(codes % 65521 * places, axis=-1) % WORDS  # words may share one
    x = ops.concatenate([spelling, layers.Embedding(WORDS, units)(number)], axis=-1)

    rate = hp.Float("dropout", 0.0, 0.5, default=0.2)
    x = kcatalog.layers.VariationalDropout(rate)(x)
    lstm = layers.LSTM(hp.Choice("units", [32, 64, 128], default=64), return_sequences=True)
    x = layers.Bidirectional(lstm)(x, mask=real)
    x = kcatalog.layers.VariationalDropout(rate)(x)
    crf = kcatalog.layers.CRF(
        len(data.classes), **kcatalog.ops.allowed_tags(data.classes), dtype="float32"
    )
    model = keras.Model(codes, crf(x, mask=real))
    model.compile(optimizer(hp), kcatalog.losses.CRFCrossentropy(), metrics=["accuracy"])
    return model


def optimizer(hp):
    """Adam or Nadam with clipped gradients."""
    rate = hp.Float("learning_rate", 1e-3, 1e-2, sampling="log", default=4e-3)
    return tuning.optimizer(
        hp,
        ["keras.optimizers.Adam", "keras.optimizers.Nadam"],
        fixed={"learning_rate": rate, "clipnorm": 1.0},
    )


recipe = Recipe(
    "sequence_tagger",
    source,
    build,
    baseline=baselines.tag_windows,
    epochs=5,
    trials=2,
    trial_epochs=1,
    batch_size=BATCH_SIZE,
)

if __name__ == "__main__":
    recipe.main()
