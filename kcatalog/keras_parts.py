"""Keras's own parts that recipes and the tuner use, with the search spaces we give them.

Names, arguments, defaults and summaries are Keras's and are read from its source; only what
Keras does not say stands here.
"""

from kcatalog.card import Card, Choice, Example, Float, Int

_LEARNING_RATE = Float(1e-4, 1e-2, log=True)

KERAS_PARTS: dict[str, Card] = {
    # layers
    "keras.layers.BatchNormalization": Card(space={"momentum": Choice(0.9, 0.99)}),
    "keras.layers.Bidirectional": Card(),
    "keras.layers.Conv2D": Card(
        space={"filters": Choice(16, 32, 64), "kernel_size": Choice(3, 5)},
        example=Example({"filters": 32, "kernel_size": 3}),
    ),
    "keras.layers.Dense": Card(
        space={"units": Choice(32, 64, 128)}, example=Example({"units": 64})
    ),
    "keras.layers.Dropout": Card(space={"rate": Float(0.0, 0.5)}, example=Example({"rate": 0.2})),
    "keras.layers.Embedding": Card(example=Example({"input_dim": 256, "output_dim": 64})),
    "keras.layers.GRU": Card(space={"units": Choice(64, 128, 256)}, example=Example({"units": 64})),
    "keras.layers.GlobalAveragePooling2D": Card(),
    "keras.layers.LSTM": Card(space={"units": Choice(32, 64, 128)}, example=Example({"units": 64})),
    "keras.layers.LayerNormalization": Card(),
    "keras.layers.Masking": Card(),
    "keras.layers.MaxPooling2D": Card(),
    "keras.layers.MelSpectrogram": Card(),
    "keras.layers.SpatialDropout1D": Card(
        space={"rate": Float(0.0, 0.5)}, example=Example({"rate": 0.2})
    ),
    # losses
    "keras.losses.CategoricalCrossentropy": Card(space={"label_smoothing": Float(0.0, 0.2)}),
    "keras.losses.CategoricalHinge": Card(),
    "keras.losses.SparseCategoricalCrossentropy": Card(),
    "keras.losses.SquaredHinge": Card(),
    "keras.losses.MeanSquaredError": Card(),
    # metrics
    "keras.metrics.SparseCategoricalAccuracy": Card(),
    "keras.metrics.MeanSquaredError": Card(),
    # and those of which Keras says only once they are built whether more is better, or never
    "keras.metrics.FalseNegatives": Card(better="lower"),
    "keras.metrics.FalsePositives": Card(better="lower"),
    "keras.metrics.TrueNegatives": Card(better="higher"),
    "keras.metrics.TruePositives": Card(better="higher"),
    "keras.metrics.IoU": Card(
        better="higher", example=Example({"num_classes": 3, "target_class_ids": [1, 2]})
    ),
    "keras.metrics.MeanIoU": Card(better="higher", example=Example({"num_classes": 3})),
    "keras.metrics.OneHotIoU": Card(
        better="higher", example=Example({"num_classes": 3, "target_class_ids": [1, 2]})
    ),
    "keras.metrics.OneHotMeanIoU": Card(better="higher", example=Example({"num_classes": 3})),
    "keras.metrics.PrecisionAtRecall": Card(better="higher", example=Example({"recall": 0.8})),
    "keras.metrics.RecallAtPrecision": Card(better="higher", example=Example({"precision": 0.8})),
    "keras.metrics.SensitivityAtSpecificity": Card(
        better="higher", example=Example({"specificity": 0.8})
    ),
    "keras.metrics.SpecificityAtSensitivity": Card(
        better="higher", example=Example({"sensitivity": 0.8})
    ),
    # regularizers
    "keras.regularizers.L1": Card(space={"l1": Float(1e-6, 1e-3, log=True)}),
    "keras.regularizers.L1L2": Card(
        space={"l1": Float(1e-6, 1e-3, log=True), "l2": Float(1e-6, 1e-3, log=True)},
        example=Example({"l1": 1e-5, "l2": 1e-4}),
    ),
    "keras.regularizers.L2": Card(space={"l2": Float(1e-6, 1e-3, log=True)}),
    "keras.regularizers.OrthogonalRegularizer": Card(space={"factor": Float(1e-5, 1e-2, log=True)}),
    # constraints
    "keras.constraints.MaxNorm": Card(space={"max_value": Float(1.0, 4.0)}),
    "keras.constraints.MinMaxNorm": Card(
        space={"min_value": Float(0.0, 1.0), "max_value": Float(1.0, 4.0), "rate": Float(0.1, 1.0)},
        example=Example({"min_value": 0.5, "max_value": 2.0}),
    ),
    "keras.constraints.NonNeg": Card(),
    "keras.constraints.UnitNorm": Card(),
    # initializers
    "keras.initializers.Constant": Card(example=Example({"value": 0.1})),
    "keras.initializers.GlorotNormal": Card(),
    "keras.initializers.GlorotUniform": Card(),
    "keras.initializers.HeNormal": Card(),
    "keras.initializers.HeUniform": Card(),
    "keras.initializers.Identity": Card(
        space={"gain": Float(0.5, 1.5)}, example=Example({"gain": 0.9})
    ),
    "keras.initializers.LecunNormal": Card(),
    "keras.initializers.LecunUniform": Card(),
    "keras.initializers.Ones": Card(),
    "keras.initializers.Orthogonal": Card(space={"gain": Float(0.5, 2.0, log=True)}),
    "keras.initializers.RandomNormal": Card(space={"stddev": Float(0.01, 0.2, log=True)}),
    "keras.initializers.RandomUniform": Card(),
    "keras.initializers.TruncatedNormal": Card(space={"stddev": Float(0.01, 0.2, log=True)}),
    "keras.initializers.VarianceScaling": Card(
        space={
            "scale": Float(0.5, 4.0, log=True),
            "mode": Choice("fan_in", "fan_out", "fan_avg"),
        },
        example=Example({"scale": 2.0}),
    ),
    "keras.initializers.Zeros": Card(),
    # optimizers and schedules
    "keras.optimizers.Adam": Card(space={"learning_rate": _LEARNING_RATE}),
    "keras.optimizers.AdamW": Card(
        space={
            "learning_rate": _LEARNING_RATE,
            "weight_decay": Float(1e-4, 1e-1, log=True),
        }
    ),
    "keras.optimizers.Nadam": Card(space={"learning_rate": _LEARNING_RATE}),
    "keras.optimizers.RMSprop": Card(space={"learning_rate": _LEARNING_RATE}),
    "keras.optimizers.SGD": Card(
        space={
            "learning_rate": Float(1e-3, 1e-1, log=True),
            "momentum": Choice(0.0, 0.9),
            "nesterov": Choice(False, True),
        }
    ),
    "keras.optimizers.schedules.CosineDecay": Card(
        space={"decay_steps": Int(100, 10_000, log=True)},
        example=Example({"initial_learning_rate": 0.01, "decay_steps": 1000}),
    ),
    "keras.optimizers.schedules.ExponentialDecay": Card(
        example=Example({"initial_learning_rate": 0.01, "decay_steps": 1000, "decay_rate": 0.9})
    ),
    "keras.callbacks.EarlyStopping": Card(),
    "keras.callbacks.TensorBoard": Card(),
}
