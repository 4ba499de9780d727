"""Keras's own parts: arguments and data to check each on, and what is wrong with some of them."""

from kcatalog.card import Part

LSTM_CELL = Part("keras.layers.LSTMCell", units=2)
DENSE = Part("keras.layers.Dense", units=2)
SEQUENCE, IMAGE, VOLUME, CLIP = (7, 3), (6, 6, 3), (4, 4, 4, 2), (3, 5, 5, 2)
IN_RANGE = {"value_range": (-4.0, 4.0)}  # where normal random numbers lie
PAIR = ((5, 3), (5, 3))

# What a class needs beyond its defaults and the shapes that are guessed: arguments, shape, and
# further fields of `kcatalog.card.Example`.
EXAMPLES: dict[str, dict] = {
    # layers
    "layers.Activation": {"args": {"activation": "tanh"}},
    "layers.AdaptiveAveragePooling1D": {"args": {"output_size": 3}, "shape": SEQUENCE},
    "layers.AdaptiveAveragePooling2D": {"args": {"output_size": 3}, "shape": IMAGE},
    "layers.AdaptiveAveragePooling3D": {"args": {"output_size": 2}, "shape": VOLUME},
    "layers.AdaptiveMaxPooling1D": {"args": {"output_size": 3}, "shape": SEQUENCE},
    "layers.AdaptiveMaxPooling2D": {"args": {"output_size": 3}, "shape": IMAGE},
    "layers.AdaptiveMaxPooling3D": {"args": {"output_size": 2}, "shape": VOLUME},
    "layers.Add": {"shape": PAIR},
    "layers.AdditiveAttention": {"shape": PAIR},
    "layers.AlphaDropout": {"args": {"rate": 0.3}, "shape": SEQUENCE},
    "layers.Attention": {"shape": PAIR},
    "layers.AugMix": {"args": IN_RANGE, "shape": IMAGE},
    "layers.AutoContrast": {"args": IN_RANGE, "shape": IMAGE},
    "layers.RandAugment": {"args": IN_RANGE, "shape": IMAGE},
    "layers.ContrastLimitedAdaptiveHistogramEqualization": {"args": IN_RANGE, "shape": IMAGE},
    "layers.Equalization": {"args": IN_RANGE, "shape": IMAGE},
    "layers.Average": {"shape": PAIR},
    "layers.AveragePooling1D": {"args": {"pool_size": 2}, "shape": SEQUENCE},
    "layers.AveragePooling2D": {"args": {"pool_size": 2}, "shape": IMAGE},
    "layers.AveragePooling3D": {"args": {"pool_size": 2}, "shape": VOLUME},
    "layers.BatchNormalization": {"shape": SEQUENCE},
    "layers.Bidirectional": {
        "args": {"layer": Part("keras.layers.LSTM", units=2)},
        "shape": SEQUENCE,
    },
    "layers.CategoryEncoding": {
        "args": {"num_tokens": 8},
        "shape": (7,),
        "predictions": "tokens",
        "classes": 8,
    },
    "layers.CenterCrop": {"args": {"height": 4, "width": 4}, "shape": IMAGE},
    "layers.Concatenate": {"shape": PAIR},
    "layers.Conv1D": {"args": {"filters": 2, "kernel_size": 3}, "shape": SEQUENCE},
    "layers.Conv1DTranspose": {"args": {"filters": 2, "kernel_size": 3}, "shape": SEQUENCE},
    "layers.Conv2D": {"args": {"filters": 2, "kernel_size": 3}, "shape": IMAGE},
    "layers.Conv2DTranspose": {"args": {"filters": 2, "kernel_size": 3}, "shape": IMAGE},
    "layers.Conv3D": {"args": {"filters": 2, "kernel_size": 3}, "shape": VOLUME},
    "layers.Conv3DTranspose": {"args": {"filters": 2, "kernel_size": 3}, "shape": VOLUME},
    "layers.ConvLSTM1D": {"args": {"filters": 2, "kernel_size": 3}, "shape": (3, 5, 2)},
    "layers.ConvLSTM2D": {"args": {"filters": 2, "kernel_size": 3}, "shape": CLIP},
    "layers.ConvLSTM3D": {"args": {"filters": 2, "kernel_size": 2}, "shape": (2, 3, 3, 3, 2)},
    "layers.Cropping1D": {"shape": SEQUENCE},
    "layers.Cropping2D": {"shape": IMAGE},
    "layers.Cropping3D": {"shape": VOLUME},
    "layers.Dense": {"args": {"units": 2}, "shape": (5,)},
    "layers.DepthwiseConv1D": {"args": {"kernel_size": 3}, "shape": SEQUENCE},
    "layers.DepthwiseConv2D": {"args": {"kernel_size": 3}, "shape": IMAGE},
    "layers.Discretization": {"args": {"bin_boundaries": [-1.0, 0.0, 1.0]}, "shape": (5,)},
    "layers.Dot": {"args": {"axes": -1}, "shape": PAIR},
    "layers.Dropout": {"args": {"rate": 0.3}, "shape": SEQUENCE},
    "layers.EinsumDense": {
        "args": {"equation": "abc,cd->abd", "output_shape": (7, 2)},
        "shape": SEQUENCE,
    },
    "layers.Embedding": {
        "args": {"input_dim": 8, "output_dim": 3},
        "shape": (7,),
        "predictions": "tokens",
        "classes": 8,
    },
    "layers.GRU": {"args": {"units": 2}, "shape": SEQUENCE},
    "layers.GRUCell": {"args": {"units": 2}, "shape": SEQUENCE},
    "layers.GaussianDropout": {"args": {"rate": 0.3}, "shape": SEQUENCE},
    "layers.GaussianNoise": {"args": {"stddev": 0.3}, "shape": SEQUENCE},
    "layers.GlobalAveragePooling1D": {"shape": SEQUENCE},
    "layers.GlobalAveragePooling3D": {"shape": VOLUME},
    "layers.GlobalMaxPooling1D": {"shape": SEQUENCE},
    "layers.GlobalMaxPooling3D": {"shape": VOLUME},
    "layers.GroupNormalization": {"args": {"groups": 2}, "shape": (7, 4)},
    "layers.GroupQueryAttention": {
        "args": {"head_dim": 2, "num_query_heads": 4, "num_key_value_heads": 2},
        "shape": PAIR,
    },
    "layers.HashedCrossing": {
        "args": {"num_bins": 5},
        "shape": ((1,), (1,)),
        "predictions": "tokens",
        "classes": 8,
    },
    "layers.Hashing": {
        "args": {"num_bins": 5},
        "shape": (7,),
        "predictions": "tokens",
        "classes": 8,
    },
    "layers.IntegerLookup": {
        "args": {"vocabulary": [1, 3, 5]},
        "shape": (7,),
        "predictions": "tokens",
        "classes": 8,
    },
    "layers.LSTM": {"args": {"units": 2}, "shape": SEQUENCE},
    "layers.LSTMCell": {"args": {"units": 2}, "shape": SEQUENCE},
    "layers.LayerNormalization": {"shape": SEQUENCE},
    "layers.Masking": {"shape": SEQUENCE},
    "layers.MaxPooling1D": {"shape": SEQUENCE},
    "layers.MaxPooling3D": {"shape": VOLUME},
    "layers.Maximum": {"shape": PAIR},
    "layers.MelSpectrogram": {
        "args": {"fft_length": 64, "sequence_stride": 32, "num_mel_bins": 8},
        "shape": (256,),
    },
    "layers.Minimum": {"shape": PAIR},
    "layers.MultiHeadAttention": {"args": {"num_heads": 2, "key_dim": 2}, "shape": PAIR},
    "layers.Multiply": {"shape": PAIR},
    "layers.Normalization": {"args": {"mean": 0.5, "variance": 2.0}, "shape": (5,)},
    "layers.PReLU": {"shape": SEQUENCE},
    "layers.Permute": {"args": {"dims": (2, 1)}, "shape": SEQUENCE},
    "layers.Pipeline": {
        "args": {"layers": [Part("keras.layers.Rescaling", scale=0.5)]},
        "shape": IMAGE,
    },
    "layers.RMSNormalization": {"shape": SEQUENCE},
    "layers.RNN": {"args": {"cell": LSTM_CELL}, "shape": SEQUENCE},
    "layers.RandomBrightness": {"args": {"factor": 0.3}, "shape": IMAGE},
    "layers.RandomColorDegeneration": {"args": {"factor": 0.3}, "shape": IMAGE},
    "layers.RandomContrast": {"args": {"factor": 0.3}, "shape": IMAGE},
    "layers.RandomCrop": {"args": {"height": 4, "width": 4}, "shape": IMAGE},
    "layers.RandomErasing": {"shape": IMAGE},
    "layers.RandomGaussianBlur": {"shape": IMAGE},
    "layers.RandomGrayscale": {"shape": IMAGE},
    "layers.RandomHue": {"args": {"factor": 0.3}, "shape": IMAGE},
    "layers.RandomInvert": {"args": IN_RANGE, "shape": IMAGE},
    "layers.RandomElasticTransform": {"shape": (4, 4, 1)},
    "layers.RandomPosterization": {
        "args": {"factor": 4, "value_range": (-4.0, 4.0)},
        "shape": IMAGE,
    },
    "layers.RandomRotation": {"args": {"factor": 0.3}, "shape": IMAGE},
    "layers.RandomSaturation": {"args": {"factor": 0.3}, "shape": IMAGE},
    "layers.RandomSharpness": {"args": {"factor": 0.3}, "shape": IMAGE},
    "layers.RandomTranslation": {
        "args": {"height_factor": 0.3, "width_factor": 0.3},
        "shape": IMAGE,
    },
    "layers.RandomZoom": {"args": {"height_factor": 0.3}, "shape": IMAGE},
    "layers.RepeatVector": {"args": {"n": 3}, "shape": (5,)},
    "layers.Rescaling": {"args": {"scale": 0.5}, "shape": IMAGE},
    "layers.Reshape": {"args": {"target_shape": (3, 7)}, "shape": SEQUENCE},
    "layers.Resizing": {"args": {"height": 4, "width": 4}, "shape": IMAGE},
    "layers.ReversibleEmbedding": {
        "args": {"input_dim": 8, "output_dim": 3},
        "shape": (7,),
        "predictions": "tokens",
        "classes": 8,
    },
    "layers.STFTSpectrogram": {
        "args": {"frame_length": 64, "frame_step": 32, "fft_length": 64},
        "shape": (256, 1),
    },
    "layers.SeparableConv1D": {"args": {"filters": 2, "kernel_size": 3}, "shape": SEQUENCE},
    "layers.SeparableConv2D": {"args": {"filters": 2, "kernel_size": 3}, "shape": IMAGE},
    "layers.SimpleRNN": {"args": {"units": 2}, "shape": SEQUENCE},
    "layers.SimpleRNNCell": {"args": {"units": 2}, "shape": SEQUENCE},
    "layers.Solarization": {"args": IN_RANGE, "shape": IMAGE},
    "layers.SpatialDropout1D": {"args": {"rate": 0.3}, "shape": SEQUENCE},
    "layers.SpatialDropout2D": {"args": {"rate": 0.3}, "shape": IMAGE},
    "layers.SpatialDropout3D": {"args": {"rate": 0.3}, "shape": VOLUME},
    "layers.SpectralNormalization": {"args": {"layer": DENSE}, "shape": (5,)},
    "layers.StackedRNNCells": {"args": {"cells": [LSTM_CELL, LSTM_CELL]}, "shape": SEQUENCE},
    "layers.Subtract": {"shape": PAIR},
    "layers.TimeDistributed": {"args": {"layer": DENSE}, "shape": SEQUENCE},
    "layers.UpSampling1D": {"shape": SEQUENCE},
    "layers.UpSampling2D": {"shape": IMAGE},
    "layers.UpSampling3D": {"shape": VOLUME},
    "layers.ZeroPadding1D": {"shape": SEQUENCE},
    "layers.ZeroPadding2D": {"shape": IMAGE},
    "layers.ZeroPadding3D": {"shape": VOLUME},
    # losses and metrics
    "losses.BinaryCrossentropy": {"targets": "binary"},
    "losses.BinaryFocalCrossentropy": {"targets": "binary"},
    "losses.CategoricalCrossentropy": {"targets": "one_hot", "predictions": "probabilities"},
    "losses.CategoricalFocalCrossentropy": {"targets": "one_hot", "predictions": "probabilities"},
    "losses.CategoricalGeneralizedCrossEntropy": {
        "targets": "labels",
        "predictions": "probabilities",
    },
    "losses.Circle": {"targets": "labels", "predictions": "cosines", "classes": 3},
    "losses.MeanAbsolutePercentageError": {"targets": "real"},
    "losses.Hinge": {"targets": "signs"},
    "losses.SquaredHinge": {"targets": "signs"},
    "losses.SparseCategoricalCrossentropy": {"targets": "labels", "predictions": "probabilities"},
    "metrics.MeanAbsolutePercentageError": {"targets": "real"},
    "metrics.IoU": {
        "args": {"num_classes": 3, "target_class_ids": [1, 2]},
        "shape": (4,),
        "target_shape": (4,),
        "targets": "labels",
        "predictions": "tokens",
        "classes": 3,
    },
    "metrics.MeanIoU": {
        "args": {"num_classes": 3},
        "shape": (4,),
        "target_shape": (4,),
        "targets": "labels",
        "predictions": "tokens",
        "classes": 3,
    },
    "metrics.OneHotIoU": {"args": {"num_classes": 5, "target_class_ids": [1, 2]}},
    "metrics.OneHotMeanIoU": {"args": {"num_classes": 5}},
    "metrics.PrecisionAtRecall": {
        "args": {"recall": 0.8},
        "targets": "binary",
        "predictions": "probabilities",
    },
    "metrics.RecallAtPrecision": {
        "args": {"precision": 0.8},
        "targets": "binary",
        "predictions": "probabilities",
    },
    "metrics.SensitivityAtSpecificity": {
        "args": {"specificity": 0.8},
        "targets": "binary",
        "predictions": "probabilities",
    },
    "metrics.SpecificityAtSensitivity": {
        "args": {"sensitivity": 0.8},
        "targets": "binary",
        "predictions": "probabilities",
    },
    # initializers, optimizers, schedules
    "initializers.STFT": {"args": {"side": "real"}, "shape": (8, 1, 5)},
    "optimizers.schedules.CosineDecay": {"args": {"initial_learning_rate": 0.1, "decay_steps": 10}},
    "optimizers.schedules.CosineDecayRestarts": {
        "args": {"initial_learning_rate": 0.1, "first_decay_steps": 10}
    },
    "optimizers.schedules.ExponentialDecay": {
        "args": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.9}
    },
    "optimizers.schedules.InverseTimeDecay": {
        "args": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.9}
    },
    "optimizers.schedules.PiecewiseConstantDecay": {
        "args": {"boundaries": [5, 10], "values": [0.1, 0.05, 0.01]}
    },
    "optimizers.schedules.PolynomialDecay": {
        "args": {"initial_learning_rate": 0.1, "decay_steps": 10}
    },
}

# What is no part to check by itself, and why.
NOT_CHECKED = {
    "layers.FlaxLayer": "wraps a Flax module",
    "layers.JaxLayer": "wraps a JAX function",
    "layers.TFSMLayer": "wraps a SavedModel",
    "layers.TorchModuleWrapper": "wraps a PyTorch module",
    "layers.Lambda": "is not saved in safe mode, by design",
    "layers.InputLayer": "has no input",
    "layers.InputSpec": "is no layer",
    "layers.Layer": "is a base class",
    "layers.Wrapper": "is a base class",
    "layers.CutMix": "takes a dict of images and labels",
    "layers.MixUp": "takes a dict of images and labels",
    "layers.MaxNumBoundingBoxes": "takes bounding boxes",
    "layers.StringLookup": "takes strings",
    "layers.TextVectorization": "takes strings",
    "losses.CTC": "takes sequences of labels and of probabilities",
    "losses.Loss": "is a base class",
    "metrics.Mean": "takes values, no targets",
    "metrics.Sum": "takes values, no targets",
    "metrics.MeanMetricWrapper": "wraps a function, which is no literal",
    "metrics.Metric": "is a base class",
    "regularizers.Regularizer": "is a base class",
    "constraints.Constraint": "is a base class",
    "initializers.Initializer": "is a base class",
    "optimizers.LossScaleOptimizer": "takes scaled gradients; `skips_overflow` tries it",
    "optimizers.MultiOptimizer": "takes the variables of a model",
    "optimizers.OptimizerMap": "is no optimizer",
    "optimizers.Optimizer": "is a base class",
    "optimizers.schedules.LearningRateSchedule": "is a base class",
}

# What `kcatalog check` finds in Keras 3.15.1: the part, the check that fails, and why. Faults that
# another check shows as well stand with the first. Found on TensorFlow.
_NO_KERNEL = "TensorFlow has no kernel of its operation for this dtype on a CPU"
_AXIS = "`build` overwrites the argument that the config is made of"
_NO_STATE = "`result()` fails before the first update: the state is made by it"
_WHOLE_WEIGHTS = "sample weights are cast to int, with a warning"
_ONE_VALUE = "one value for the whole batch, so that no weight reaches a sample; keras#19637"
_TOP_K = "predictions in half precision raise: TensorFlow's operation takes none"
FAULTS: dict[str, dict[str, str]] = {
    "layers.AdaptiveAveragePooling3D": {
        "half_precision-mixed_float16": _NO_KERNEL,
        "gradients_exact": _NO_KERNEL,
    },
    "layers.AdaptiveMaxPooling3D": {
        "half_precision-mixed_float16": _NO_KERNEL,
        "gradients_exact": _NO_KERNEL,
    },
    "layers.AugMix": {
        "randomness_seeded": "its operations are drawn by Python's `random`, unseeded"
    },
    "layers.AutoContrast": {"extreme_input-zero": "the gradient for an image of one color is 0/0"},
    "layers.AveragePooling3D": {
        "half_precision-mixed_float16": _NO_KERNEL,
        "gradients_exact": _NO_KERNEL,
    },
    "layers.CategoryEncoding": {
        "config_complete": "`sparse` is lost; keras#23375",
        "half_precision-mixed_float16": "the output has the weights' dtype, float32",
    },
    "layers.Equalization": {
        "shapes_agree": "it writes into its symbolic input: no functional model can be built",
        "keras_file_equal": "as above",
    },
    "layers.GRU": {"config_complete": "`use_cudnn` is lost"},
    "layers.GroupNormalization": {"padding_ignored": "masked steps count in mean and variance"},
    "layers.HashedCrossing": {"unknown_argument_raises": "unknown arguments are accepted"},
    "layers.LSTM": {"config_complete": "`use_cudnn` is lost"},
    "layers.LayerNormalization": {"config_unchanged_by_use": _AXIS},
    "layers.MaxPooling3D": {
        "half_precision-mixed_float16": _NO_KERNEL,
        "gradients_exact": _NO_KERNEL,
    },
    "layers.MelSpectrogram": {"gradients_exact": "float64 input meets float32 constants"},
    "layers.MultiHeadAttention": {"config_unchanged_by_use": _AXIS},
    "layers.RMSNormalization": {"config_unchanged_by_use": _AXIS},
    "layers.RandomCrop": {"half_precision-mixed_float16": "the output is float32"},
    "layers.RandomGrayscale": {"config_complete": "`seed` is lost; keras#23657"},
    "layers.SimpleRNN": {"config_complete": "`seed` is lost; keras#23657"},
    "losses.CategoricalGeneralizedCrossEntropy": {
        "degenerate_input-float32": "the gradient of 0 ** q is infinite",
        "degenerate_input-float16": "as above",
    },
    "losses.CosineSimilarity": {"config_complete": "`axis` is lost; keras#23286"},
    "losses.Dice": {"reduction_shapes": _ONE_VALUE, "batch_order_irrelevant": _ONE_VALUE},
    "losses.Huber": {"config_complete": "`delta` is lost; keras#23286"},
    "losses.SparseCategoricalCrossentropy": {"config_complete": "`axis` is lost; keras#23286"},
    "losses.Tversky": {"reduction_shapes": _ONE_VALUE, "batch_order_irrelevant": _ONE_VALUE},
    "metrics.BinaryIoU": {"sample_weight_counts": _WHOLE_WEIGHTS},
    "metrics.CosineSimilarity": {"config_complete": "`axis` is lost; keras#23717"},
    "metrics.F1Score": {"reset_forgets": _NO_STATE},
    "metrics.FBetaScore": {"reset_forgets": _NO_STATE},
    "metrics.IoU": {"sample_weight_counts": _WHOLE_WEIGHTS},
    "metrics.MeanIoU": {"sample_weight_counts": _WHOLE_WEIGHTS},
    "metrics.OneHotIoU": {"sample_weight_counts": _WHOLE_WEIGHTS},
    "metrics.OneHotMeanIoU": {"sample_weight_counts": _WHOLE_WEIGHTS},
    "metrics.R2Score": {
        "reset_forgets": _NO_STATE,
        "sample_weight_counts": "with all weights zero the result is NaN",
    },
    "metrics.SparseTopKCategoricalAccuracy": {
        "config_complete": "`from_sorted_ids` is lost",
        "half_precision-float16": _TOP_K,
    },
    "metrics.TopKCategoricalAccuracy": {"half_precision-float16": _TOP_K},
    "regularizers.OrthogonalRegularizer": {"gradient_exact": "a float64 kernel raises"},
    "initializers.Identity": {"config_complete": "`gain` is lost"},
    "initializers.Orthogonal": {"shape_and_dtype-bfloat16": "raises; keras#16970"},
    "optimizers.Adafactor": {"copies_its_state": "two of its variables have one path"},
    "optimizers.Ftrl": {
        "decays_weights": "computes the weight from its slots alone, which undoes the decay",
        "learning_rate_rules-assigned": "divides by the learning rate: all weights are NaN at 0",
        "learning_rate_rules-schedule": "as above",
    },
    "optimizers.ScheduleFreeAdamW": {"decays_weights": "computes the weight from its slots alone"},
}
