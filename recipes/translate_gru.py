"""A GRU that reads a text and a GRU with attention that writes another one, by beam search.

By default it learns to write dates in ISO form, from dates as people write them in 13 languages.
`--data` takes your own pairs, in a text file with a source, a tab and a target in each line:

    python recipes/translate_gru.py
    python recipes/translate_gru.py --data path/to/pairs.tsv
    python recipes/translate_gru.py predict sources.txt
"""

import kcatalog
from kcatalog.recipe import Recipe, tuning
from kcatalog.recipe.data import Pairs
from kcatalog.recipe.tasks import baselines
from kcatalog.recipe.tasks.translation import exact_match

import keras
import numpy as np
from keras import layers, ops

# data: code points of the source, then the target's characters one step late, which training reads
source = Pairs(default="dates")


def build(hp, data):
    """Characters become vectors, a GRU reads them both ways, and a decoder writes the target."""
    pair = keras.Input(data.input_shape, dtype="int32", name=data.input_name)
    steps = data.details.steps
    codes, targets = pair[:, :steps], pair[:, steps:]
    alphabet = np.unique(data.train[0][:, :steps])[1:]  # without the padding, 0
    known = ops.cast(ops.equal(ops.expand_dims(codes, -1), alphabet), "int32")
    places = ops.sum(known * np.arange(1, len(alphabet) + 1), axis=-1)
    ids = ops.cast(ops.greater(codes, 0), "int32") + places  # 1 is a character unknown

    units = hp.Choice("units", [64, 96, 128], default=96)
    x = layers.Embedding(len(alphabet) + 2, 32, mask_zero=True)(ids)
    reader = layers.GRU(units // 2, return_sequences=True, return_state=True)
    memory, *states = layers.Bidirectional(reader)(x)
    memory = layers.Dropout(hp.Float("dropout", 0.0, 0.3, default=0.1))(memory)
    decoder = Decoder(len(data.classes), units, hp.Float("sampling", 0.0, 0.3, default=0.0))
    model = keras.Model(pair, decoder(targets, memory, layers.Concatenate()(states)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer(hp), loss, metrics=[exact_match])
    return model


@keras.saving.register_keras_serializable("translate_gru")
class Decoder(layers.Layer):
    """Logits of the next characters: in training after the right ones, else of those it writes."""

    def __init__(self, characters, units, sampling=0.0, beam_width=4, **kwargs):
        super().__init__(dtype="float32", **{k: v for k, v in kwargs.items() if k != "dtype"})
        self.arguments = {"characters": characters, "units": units, "sampling": sampling}
        self.arguments["beam_width"] = beam_width
        attention = kcatalog.layers.BahdanauAttention(units)
        cell = kcatalog.layers.AttentionWrapper(layers.GRUCell(units), attention, units, "tanh")
        shared = cell, layers.Embedding(characters, 32), layers.Dense(characters)
        self.teacher = kcatalog.layers.ScheduledSampling(*shared, rate=sampling)
        self.shared, self.beam_width = shared, beam_width

    def build(self, targets_shape, memory_shape, state_shape):
        self.search = kcatalog.layers.BeamSearchDecoder(
            *self.shared, targets_shape[1], end_token=0, beam_width=self.beam_width
        )
        self.teacher.build(targets_shape, memory_shape)
        self.search.build((None, 1), memory_shape)

    def call(
        self,
        targets,
        memory,
        state,
        memory_mask=None,
        return_attention_scores=False,
        training=False,
    ):
        over = {"memory": memory, "initial_state": state, "memory_mask": memory_mask}
        if training:
            return self.teacher(targets, **over, training=True)
        start = ops.zeros_like(targets[:, :1])
        ids = self.search(start, **over)
        logits = 10 * ops.one_hot(ids, self.arguments["characters"], dtype="float32")
        if not return_attention_scores:
            return logits
        late = ops.concatenate([start, ids[:, :-1]], axis=1)
        return logits, self.teacher(late, **over, return_attention_scores=True)[1]

    def get_config(self):
        return {**super().get_config(), **self.arguments}


def optimizer(hp):
    """Adam with clipped gradients."""
    rate = hp.Float("learning_rate", 1e-3, 8e-3, sampling="log", default=4e-3)
    return tuning.optimizer(
        hp, ["keras.optimizers.Adam"], fixed={"learning_rate": rate, "clipnorm": 1.0}
    )


recipe = Recipe(
    "translate_gru",
    source,
    build,
    baseline=baselines.character_classifiers,
    epochs=6,
    trials=2,
    trial_epochs=2,
    batch_size=64,
)

if __name__ == "__main__":
    recipe.main()
