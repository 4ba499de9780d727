import keras
import numpy as np

import kcatalog

TOKENS, UNITS, START, END = 12, 16, 1, 2  # 0 is padding

embedding = keras.layers.Embedding(TOKENS, 8)
encoder = keras.layers.LSTM(UNITS, return_sequences=True, return_state=True)
attention = kcatalog.layers.LuongAttention(UNITS)
cell = kcatalog.layers.AttentionWrapper(
    keras.layers.LSTMCell(UNITS), attention, attention_layer_size=UNITS, return_sequences=True
)
output_layer = keras.layers.Dense(TOKENS)

source = keras.Input((None,), dtype="int32")
memory, *state = encoder(embedding(source))
real = keras.ops.not_equal(source, 0)

inputs = keras.Input((None,), dtype="int32")  # the right tokens, from START on
outputs = cell(embedding(inputs), memory, initial_state=state, memory_mask=real)
trainer = keras.Model([source, inputs], output_layer(outputs))
loss = kcatalog.losses.SequenceCrossentropy(from_logits=True, reduction="mean_with_sample_weight")
trainer.compile(keras.optimizers.SGD(0.2, momentum=0.9), loss)


def train(source, target, epochs):
    inputs, right = target[:, :-1], target[:, 1:]
    return trainer.fit(
        [source, inputs],
        right,
        sample_weight=(right != 0).astype("float32"),
        batch_size=len(source),
        epochs=epochs,
        verbose=0,
    ).history["loss"]


def writer(decoder):
    """Return a model that writes text with the layers that `trainer` trains."""
    start = keras.Input((1,), dtype="int32")
    written = decoder(start, memory, initial_state=state, memory_mask=real)
    return keras.Model([source, start], written)


def translate(source, steps):
    layers = (cell, embedding, output_layer)
    decoder = kcatalog.layers.SamplingDecoder(
        *layers, max_steps=steps, end_token=END, temperature=0
    )
    return writer(decoder).predict([source, np.full((len(source), 1), START)], verbose=0)


def search(source, steps, beams):
    layers = (cell, embedding, output_layer)
    decoder = kcatalog.layers.BeamSearchDecoder(
        *layers, max_steps=steps, end_token=END, beam_width=beams
    )
    return writer(decoder).predict([source, np.full((len(source), 1), START)], verbose=0)
