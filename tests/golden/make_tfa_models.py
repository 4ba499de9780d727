"""Writes small Keras 2 models with parts of TensorFlow Addons; README.md names the environment.

`tfa_models.zip` holds each model in the formats of Keras 2 and, as `<model>.npz`, its inputs
(`x0`, `x1`, ...) and outputs (`y0`, ...). Of a model that was trained, `after` holds the weights
after three more steps on the inputs and `target`.
"""

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

FILE = Path(__file__).parent / "tfa_models.zip"
PEER = f"tensorflow-addons {tfa.__version__}, tensorflow {tf.__version__}"
keras = tf.keras
layers = keras.layers
random = np.random.default_rng(7)


def images():
    return keras.Input((4, 6, 4), name="images")


def steps(features=3):
    return keras.Input((5, features), name="steps")


def vectors():
    return keras.Input((6,), name="vectors")


def functional(inputs, outputs):
    return keras.Model(inputs, outputs, name="net")


def group_normalization():
    x = images()
    return functional(x, tfa.layers.GroupNormalization(groups=2, epsilon=0.01)(x))


def instance_normalization():
    return keras.Sequential(
        [
            layers.Conv2D(3, 3, padding="same", input_shape=(4, 6, 4)),
            tfa.layers.InstanceNormalization(center=True, scale=True),
            layers.LeakyReLU(),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ],
        name="net",
    )


def weight_normalization():
    x = images()
    y = tfa.layers.WeightNormalization(layers.Conv2D(3, 3, activation="relu"))(x)
    y = layers.Flatten()(y)
    y = tfa.layers.WeightNormalization(layers.Dense(2), data_init=False, name="head")(y)
    return functional(x, y)


def spectral_normalization():
    x = images()
    y = tfa.layers.SpectralNormalization(layers.Conv2D(3, 3), power_iterations=2)(x)
    return functional(x, tfa.layers.SpectralNormalization(layers.Dense(2, use_bias=False))(y))


def pooling():
    x = images()
    average = tfa.layers.AdaptiveAveragePooling2D((2, 3))(x)
    largest = tfa.layers.AdaptiveMaxPooling2D(2)(x)
    pyramid = tfa.layers.SpatialPyramidPooling2D([1, (2, 3)])(x)
    return functional(x, [average, largest, pyramid])


def multi_head_attention():
    query, memory = steps(), keras.Input((4, 5), name="memory")
    y = tfa.layers.MultiHeadAttention(head_size=2, num_heads=3)([query, memory])
    z = tfa.layers.MultiHeadAttention(2, 2, output_size=4, use_projection_bias=False)([y, y, y])
    return functional([query, memory], [y, z])


def activations():
    x = vectors()
    y = tfa.layers.GELU()(layers.Dense(4, activation="Addons>mish")(x))
    y = tfa.layers.GELU(approximate=False)(y)
    y = tfa.layers.Maxout(2)(y)
    y = layers.Dense(3, activation=tfa.activations.hardshrink)(y)
    return functional(x, tfa.layers.TLU(affine=True)(y))


def stochastic_depth():
    x = images()
    y = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    y = tfa.layers.StochasticDepth(0.75)([x, y])
    return functional(x, layers.GlobalAveragePooling2D()(y))


def crf():
    x = steps()
    outputs = tfa.layers.CRF(4, name="crf")(layers.Masking()(x))
    return functional(x, outputs[0])


def noisy_dense():
    x = vectors()
    y = tfa.layers.NoisyDense(4, activation="relu")(x)
    y = tfa.layers.NoisyDense(3, use_factorised=False)(y)
    return functional(x, y)


def recurrent():
    x = steps()
    cell = tfa.rnn.LayerNormLSTMCell(2)
    y = layers.Bidirectional(layers.RNN(cell, return_sequences=True))(x)
    y = layers.RNN(tfa.rnn.PeepholeLSTMCell(2), return_sequences=True)(y)
    return functional(x, layers.LSTM(2)(y))


def filter_response():
    x = images()
    y = tfa.layers.FilterResponseNormalization()(x)
    return functional(x, layers.TimeDistributed(layers.Dense(2))(y))


def nested():
    branch_input = images()
    y = layers.Conv2D(3, 1)(branch_input)
    y = layers.BatchNormalization()(y)
    y = tfa.layers.InstanceNormalization()(y)
    y = tfa.layers.WeightNormalization(layers.Conv2D(2, 1), data_init=False)(y)
    branch = keras.Model(branch_input, layers.GlobalMaxPooling2D()(y), name="branch")
    a, b = images(), keras.Input((4, 6, 4), name="others")
    head = keras.Sequential([layers.Dense(3, "relu"), layers.Dropout(0.5)], name="head")
    y = layers.Concatenate()([branch(a), branch(b)])
    y = layers.BatchNormalization()(head(y))
    return functional([a, b], layers.Dense(1)(y))


def frozen():
    model = nested()
    model.get_layer("branch").trainable = False
    return model


def operations():
    x = images()
    y = layers.Conv2D(4, 3, padding="same")(x)
    y = tf.nn.relu(y + x) * 2.0 - 1.0
    y = tf.concat([y, 1.0 - x], axis=-1)
    y = tf.reduce_mean(y, axis=[1, 2], keepdims=False)
    y = tf.nn.softmax(tf.reshape(y, (-1, 4, 2)), axis=1)
    return functional(x, tf.math.l2_normalize(tf.transpose(y, [0, 2, 1]), axis=-1))


def plain():
    words = keras.Input((5,), name="words", dtype="int32")
    y = layers.Embedding(4, 6, input_length=5)(words)
    y = layers.Bidirectional(layers.GRU(3, return_sequences=True))(y)
    z = layers.MultiHeadAttention(2, 3, output_shape=4)(y, value=y)
    z = layers.LayerNormalization()(z)
    z = layers.SeparableConv1D(4, 3, padding="same", kernel_regularizer="l2")(z)
    z = layers.BatchNormalization(momentum=0.9)(z)
    z = layers.Add()([layers.LeakyReLU(0.2)(z), layers.PReLU(shared_axes=[1])(z)])
    z = layers.TimeDistributed(layers.Dense(3, activation="swish"))(z)
    z = layers.ThresholdedReLU(0.1)(layers.Dropout(0.5)(z))
    return functional(words, layers.LSTM(2)(z))


MODELS = (
    operations,
    plain,
    group_normalization,
    instance_normalization,
    weight_normalization,
    spectral_normalization,
    pooling,
    multi_head_attention,
    activations,
    stochastic_depth,
    crf,
    noisy_dense,
    recurrent,
    filter_response,
    nested,
    frozen,
)


def network():
    x = vectors()
    y = layers.Dense(3, activation="tanh", name="hidden")(x)
    return functional(x, layers.Dense(2, name="head")(y))


def attention_network():
    x = steps()
    y = tfa.layers.MultiHeadAttention(2, 2, use_projection_bias=False)([x, x])
    y = layers.GlobalAveragePooling1D()(y)
    y = tfa.layers.WeightNormalization(layers.Dense(3, activation="tanh"), data_init=False)(y)
    return functional(x, layers.Dense(2, name="head")(y))


def table_network():
    x = keras.Input((3,), name="words", dtype="int32")
    y = layers.Flatten()(layers.Embedding(5, 2)(x))
    return functional(x, layers.Dense(2, name="head")(y))


old = keras.optimizers.legacy
tfa_optimizers = tfa.optimizers
OPTIMIZERS = {
    "adamw": (network, lambda: tfa_optimizers.AdamW(0.003, 0.02)),
    "adamw_excluded": (
        attention_network,
        lambda: tfa_optimizers.AdamW(0.003, 0.02, exclude_from_weight_decay=["bias"]),
    ),
    "sgdw": (network, lambda: tfa_optimizers.SGDW(0.003, 0.02, momentum=0.75)),
    "rectified_adam": (network, lambda: tfa_optimizers.RectifiedAdam(0.02)),
    "lamb": (network, lambda: tfa_optimizers.LAMB(0.02, epsilon=1e-6)),
    "lamb_decayed": (
        network,
        lambda: tfa_optimizers.LAMB(0.02, weight_decay=0.1, exclude_from_weight_decay=["bias"]),
    ),
    "lookahead": (
        network,
        lambda: tfa_optimizers.Lookahead(tfa_optimizers.RectifiedAdam(0.02), 2, 0.25),
    ),
    "lazy_adam": (table_network, lambda: tfa_optimizers.LazyAdam(0.02)),
    "novo_grad": (network, lambda: tfa_optimizers.NovoGrad(0.02)),
    "ada_belief": (network, lambda: tfa_optimizers.AdaBelief(0.02, rectify=False)),
    "moving_average": (network, lambda: tfa_optimizers.MovingAverage(old.Adam(0.02), 0.75)),
    "swa": (network, lambda: tfa_optimizers.SWA(old.SGD(0.02, 0.75), 2, 2)),
    "adam": (network, lambda: keras.optimizers.Adam(0.02)),
    "legacy_sgd": (network, lambda: old.SGD(0.02, 0.75, nesterov=True)),
    "rmsprop": (network, lambda: keras.optimizers.RMSprop(0.02, momentum=0.5)),
}
COMPILED = {
    "focal": (
        lambda: keras.Sequential(
            [layers.Dense(3, activation="sigmoid", input_shape=(6,))], name="net"
        ),
        {
            "optimizer": "adam",
            "loss": tfa.losses.SigmoidFocalCrossEntropy(),
            "metrics": [tfa.metrics.F1Score(3, average="macro", threshold=0.5), "accuracy"],
        },
    ),
    "triplet": (
        lambda: keras.Sequential([layers.Dense(3, input_shape=(6,))], name="net"),
        {
            "optimizer": tfa_optimizers.LazyAdam(0.01),
            "loss": tfa.losses.TripletSemiHardLoss(margin=0.5),
        },
    ),
}


def draw(model):
    """Set weights to random numbers, positive where they are variances, but for layers' noise."""
    values = [
        np.abs(random.normal(size=w.shape)) + 0.5
        if "variance" in w.name
        else 0.6 * random.normal(size=w.shape)
        if w.dtype.is_floating and "eps_" not in w.name
        else w.numpy()
        for w in model.weights
    ]
    model.set_weights(values)


def samples(model, count=3):
    return [
        random.integers(0, 4, (count, *x.shape[1:]))
        if x.dtype.is_integer
        else random.normal(size=(count, *x.shape[1:])).astype("float32")
        for x in model.inputs
    ]


def predict(model, x):
    y = model(x if len(x) > 1 else x[0], training=False)
    return [np.asarray(a) for a in (y if isinstance(y, (list, tuple)) else [y])]


def add(archive, name, data):
    archive.writestr(zipfile.ZipInfo(name, (2023, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED, 9)


def add_arrays(archive, name, **arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, peer=np.array(PEER), **arrays)
    add(archive, f"{name}.npz", stream.getvalue())


def add_files(archive, model, name, endings):
    with tempfile.TemporaryDirectory() as folder:
        for ending in endings:
            file = Path(folder, name + ending)
            if ending == ".json":
                file.write_text(model.to_json())
            elif "weights" in ending:
                model.save_weights(file)
            else:
                model.save(file)
            add(archive, file.name, file.read_bytes())


def main():
    with zipfile.ZipFile(FILE, "w") as archive:
        for make in MODELS:
            keras.backend.clear_session()
            model = make()
            x = samples(model)
            predict(model, x)  # of WeightNormalization, the first call sets g
            draw(model)
            if make in (weight_normalization, nested, frozen):
                assert all(w.numpy() for w in model.weights if "initialized" in w.name)
            y = predict(model, x)
            add_arrays(
                archive,
                make.__name__,
                **{f"x{i}": a for i, a in enumerate(x)},
                **{f"y{i}": a for i, a in enumerate(y)},
            )
            endings = [".h5", ".keras"]
            if make is nested:
                endings += [".json", "_weights.h5", ".weights.h5"]
            add_files(archive, model, make.__name__, endings)
        for name, (make, optimizer) in OPTIMIZERS.items():
            keras.backend.clear_session()
            model = make()
            x = samples(model, 8)
            predict(model, x)
            draw(model)
            target = random.normal(size=(8, 2)).astype("float32")
            model.compile(optimizer(), "mse")
            for _ in range(7):
                model.train_on_batch(x, target)
            y = predict(model, x)
            add_files(archive, model, f"optimizer_{name}", [".h5", ".keras"])
            losses = [model.train_on_batch(x, target) for _ in range(3)]
            after = predict(model, x)[0]
            add_arrays(
                archive,
                f"optimizer_{name}",
                x0=x[0],
                y0=y[0],
                target=target,
                after=after,
                losses=np.array(losses),
            )
        for name, (make, settings) in COMPILED.items():
            keras.backend.clear_session()
            model = make()
            x = samples(model, 8)
            draw(model)
            model.compile(**settings)
            target = random.integers(0, 2, (8, 3) if name == "focal" else (8,))
            target = target.astype("float32")
            model.train_on_batch(x, target)
            y = predict(model, x)
            results = model.evaluate(x[0], target, batch_size=8, verbose=0)
            add_files(archive, model, f"compiled_{name}", [".h5", ".keras"])
            add_arrays(
                archive,
                f"compiled_{name}",
                x0=x[0],
                y0=y[0],
                target=target,
                results=np.ravel(results),
            )


if __name__ == "__main__":
    main()
