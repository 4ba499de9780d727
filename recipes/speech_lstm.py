"""A bidirectional LSTM that classifies utterances.

By default it recognizes nine speakers by their vowels, from data that ship with kcatalog. `--data`
takes your own folder with one subfolder of WAV files per class:

    python recipes/speech_lstm.py
    python recipes/speech_lstm.py --data path/to/folder
    python recipes/speech_lstm.py predict some.wav other.wav
"""

import kcatalog
from kcatalog.card import Part
from kcatalog.recipe import Recipe, tuning
from kcatalog.recipe.data import Speech
from kcatalog.recipe.tasks import baselines, steps_per_epoch

import keras
from keras import layers

BATCH_SIZE = 16
LEAST_STEPS = 13  # between falls of the learning rate


# data: padded frames of cepstral coefficients, or waveforms; and class indices
source = Speech(default="japanese_vowels", rate=16_000)


def build(hp, data):
    """Frames, normalized and roughened; an LSTM in both directions; a dense layer."""
    inputs, x = waveform(data) if data.input_name == "waveform" else frames(data)
    steps = x.shape[1] or data.input_shape[0]
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.GaussianNoise(hp.Float("noise", 0.0, 0.5, default=0.3))(x)
    x = kcatalog.layers.VariationalDropout(hp.Float("input_dropout", 0.0, 0.3, default=0.2))(x)
    x = layers.Bidirectional(recurrent(hp, steps))(x)
    x = layers.Dropout(hp.Float("dropout", 0.2, 0.6, default=0.5))(x)
    model = keras.Model(inputs, layers.Dense(len(data.classes), dtype="float32")(x))
    model.compile(
        optimizer(hp, data),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def frames(data):
    """Cepstral coefficients of utterances of any length; frames of zeros are padding."""
    inputs = keras.Input((None, data.input_shape[-1]), name=data.input_name)
    return inputs, layers.Masking()(inputs)


def waveform(data):
    """Turn samples into 40 mel bands in decibels, one frame every 16 ms."""
    inputs = keras.Input(data.input_shape, name=data.input_name)
    x = layers.MelSpectrogram(
        fft_length=512,
        sequence_stride=256,
        sampling_rate=data.details.rate,
        num_mel_bins=40,
        min_power=1e-5,
        top_db=200,  # never reached: it is below the loudest sample of the batch
    )(inputs)
    return inputs, layers.Permute((2, 1))(x)


def recurrent(hp, steps):
    """Return an LSTM that remembers about as long as an utterance lasts, or a layer-norm LSTM."""
    units = hp.Choice("units", [32, 64, 128], default=64)
    gate_bias = kcatalog.initializers.Chrono(steps, units)
    return tuning.choose(
        hp,
        "recurrent",
        [
            Part("keras.layers.LSTM", bias_initializer=gate_bias, unit_forget_bias=False),
            "kcatalog.layers.LayerNormLSTM",
        ],
        fixed={"units": units, "dropout": 0.0, "recurrent_dropout": 0.0},
    )


def optimizer(hp, data):
    """Adam's family with clipped gradients; the learning rate falls by a tenth each epoch, or
    more slowly where an epoch has few steps."""
    size = tuning.batch_size(hp, data, BATCH_SIZE)
    rate = keras.optimizers.schedules.ExponentialDecay(
        hp.Float("learning_rate", 1e-3, 1e-2, sampling="log", default=3e-3),
        decay_steps=max(LEAST_STEPS, steps_per_epoch(data, size)),
        decay_rate=0.9,
    )
    return tuning.optimizer(
        hp,
        ["keras.optimizers.AdamW", "keras.optimizers.RMSprop"],
        wrappers=[None, "kcatalog.optimizers.Lookahead"],
        fixed={"learning_rate": rate, "clipnorm": hp.Float("clipnorm", 0.5, 2.0, default=1.0)},
    )


recipe = Recipe(
    "speech_lstm",
    source,
    build,
    baseline=baselines.logistic_regression,
    epochs=40,
    trials=3,
    trial_epochs=8,
    batch_size=BATCH_SIZE,
    objective="val_loss",  # a part with 27 utterances has accuracies in steps of 4 %
)

if __name__ == "__main__":
    recipe.main()
