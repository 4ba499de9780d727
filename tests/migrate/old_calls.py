"""Tries calls of TensorFlow Addons in its own environment, and what replaces them here.

The same functions run in both, so that both sides do the same: they need TensorFlow and NumPy. The
calls are the examples of the table of TensorFlow Addons, in which names stand for `DATA`.
"""

import re
import zlib

import numpy as np
import tensorflow as tf

STEPS = 8  # of optimizers
rng = np.random.default_rng(14)


def normal(*shape):
    return rng.normal(size=shape).astype("float32")


def share(*shape):
    return rng.uniform(0.05, 0.95, size=shape).astype("float32")


def whole(below, *shape):
    return rng.integers(0, below, size=shape).astype("int32")


def boxes(n):
    start, size = 5 * share(n, 2), 4 * share(n, 2)
    return np.concatenate([start, start + size], axis=1)


def maxima(images):
    """Return the maxima of windows of 2 x 2 and where they stand, as TensorFlow counts."""
    b, h, w, c = images.shape
    windows = images.reshape(b, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 5, 2, 4)
    windows = windows.reshape(b, h // 2, w // 2, c, 4)
    best = windows.argmax(-1)
    row = 2 * np.arange(h // 2)[:, None, None] + best // 2
    column = 2 * np.arange(w // 2)[None, :, None] + best % 2
    return windows.max(-1), ((row * w + column) * c + np.arange(c)).astype("int64")


images = normal(2, 4, 6, 2)
values, indices = maxima(images)
embeddings, labels = normal(8, 4), np.array([0, 0, 1, 1, 2, 2, 1, 0], "int32")
a, b = normal(8, 4), normal(8, 4)
bitmap = rng.random((3, 5, 4)) < 0.5
bitmap[..., 1] = True
DATA = {
    "x": 1.5 * normal(4, 6),
    "real": normal(4, 6),
    "one_hot": np.eye(6, dtype="float32")[[1, 0, 5, 3]],
    "labels": labels,
    "embeddings": embeddings,
    "a": a,
    "b": b,
    "same": np.array([1, 0, 1, 1, 0, 0, 1, 0], "float32"),
    "distance": np.sqrt(np.sum((a - b) ** 2, axis=1)),
    "similarities": a @ b.T,
    "multilabels": (rng.random((6, 3)) < 0.4).astype("float32"),
    "named": (rng.random((6, 3)) < 0.4).astype("float32"),
    "chances": share(6, 3),
    "classes": np.array([0, 2, 1, 1, 2, 0], "int32"),
    "rows": np.eye(3, dtype="float32")[[0, 2, 1, 1, 2, 0]],
    "probabilities": rng.dirichlet(np.ones(3), size=6).astype("float32"),
    "grades_true": whole(5, 20).astype("float32"),
    "grades": whole(5, 20).astype("float32"),
    "positive": 1 + share(7),
    "boxes_true": boxes(5),
    "boxes": boxes(5),
    "series": normal(2, 6, 3),
    "images": images,
    "others": normal(2, 4, 6, 2),
    "deep": normal(2, 4, 6, 4),
    "volumes": normal(2, 4, 2, 6, 2),
    "values": values,
    "indices": indices,
    "ids": whole(5, 2, 3),
    "picture": normal(7, 9, 2),
    "pictures": normal(2, 7, 9, 2),
    "photo": rng.integers(0, 256, size=(6, 8, 3)).astype("uint8"),
    "channel": normal(1, 6, 7, 1),
    "flow": rng.uniform(-0.4, 0.4, size=(1, 6, 7, 2)).astype("float32"),
    "places": rng.uniform(0.5, 4.5, size=(1, 5, 2)).astype("float32"),
    "knots": rng.uniform(0, 5, size=(1, 8, 2)).astype("float32"),
    "heights": normal(1, 8, 1),
    "islands": (rng.random((6, 7)) < 0.4).astype("int32"),
    "spots": (rng.random((7, 8, 1)) < 0.8).astype("uint8"),
    "potentials": normal(3, 5, 4),
    "tags": whole(4, 3, 5),
    "lengths": np.array([5, 3, 1], "int32"),
    "transitions": normal(4, 4),
    "bitmap": bitmap,
    "score": normal(5, 4),
    "step_weights": share(3, 5),
    "step_mask": np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]], "float32"),
    "tokens": whole(3, 2, 6),
}
INPUTS = {  # what an object is called with: a layer's inputs, a loss's targets and predictions
    "layers.AdaptiveAveragePooling1D": ("series",),
    "layers.AdaptiveMaxPooling1D": ("series",),
    "layers.AdaptiveAveragePooling3D": ("volumes",),
    "layers.AdaptiveMaxPooling3D": ("volumes",),
    "layers.CRF": ("series",),
    "layers.CorrelationCost": ["images", "others"],
    "layers.ESN": ("series",),
    "layers.EmbeddingBag": ("ids",),
    "layers.GELU": ("x",),
    "layers.GroupNormalization": ("deep",),
    "layers.MaxUnpooling2D": ("values", "indices"),
    "layers.MaxUnpooling2DV2": ("values", "indices"),
    "layers.Maxout": ("deep",),
    "layers.MultiHeadAttention": ["series", "series"],
    "layers.NoisyDense": ("x",),
    "layers.PoincareNormalize": ("x",),
    "layers.PolynomialCrossing": ["x", "real"],
    "layers.Snake": ("x",),
    "layers.Sparsemax": ("x",),
    "layers.TLU": ("x",),
    "layers": ("images",),
    "losses.ContrastiveLoss": ("same", "distance"),
    "losses.GIoULoss": ("boxes_true", "boxes"),
    "losses.NpairsLoss": ("labels", "similarities"),
    "losses.NpairsMultilabelLoss": ("paired", "similarities"),
    "losses.PinballLoss": ("real", "x"),
    "losses.SigmoidFocalCrossEntropy": ("multilabels", "chances"),
    "losses.SparsemaxLoss": ("one_hot", "x"),
    "losses.WeightedKappaLoss": ("rows", "probabilities"),
    "losses": ("labels", "embeddings"),
    "metrics.CohenKappa": ("rows", "probabilities"),
    "metrics.GeometricMean": ("positive",),
    "metrics.HarmonicMean": ("positive",),
    "metrics.HammingLoss": ("multilabels", "chances"),
    "metrics.KendallsTauB": ("grades_true", "grades"),
    "metrics.KendallsTauC": ("grades_true", "grades"),
    "metrics.MatthewsCorrelationCoefficient": ("rows", "probabilities"),
    "metrics.MeanMetricWrapper": ("real", "x"),
    "metrics.MultiLabelConfusionMatrix": ("multilabels", "named"),
    "metrics.PearsonsCorrelation": ("grades_true", "grades"),
    "metrics.RSquare": ("real", "x"),
    "metrics.SpearmansRank": ("grades_true", "grades"),
    "metrics": ("rows", "chances"),
    "rnn": ("series",),
    "seq2seq.SequenceLoss": ("tags", "potentials", "step_mask"),
}
DATA["scene"] = rng.integers(60, 180, size=(40, 40, 2)).astype("uint8")
DATA["shared"] = np.where(indices == indices[0, 0, 0, 0], indices[0, 0, 1, 0], indices)
DATA["levels"] = whole(3, 6, 7)
DATA["each_its_own"] = np.arange(8, dtype="int32")
DATA["one_alone"] = np.array([0, 0, 1, 1, 1, 0, 1, 7], "int32")
DATA["soft"] = rng.dirichlet(np.ones(3), size=6).astype("float32")
DATA["ratings_true"], DATA["ratings"] = share(40), share(40)
DATA["paired"] = np.concatenate([np.eye(3, dtype="float32")[labels], DATA["same"][:, None]], axis=1)
DATA["outside"] = rng.uniform(-2, 10, size=(2, 5, 2)).astype("float32")
DATA["stream"] = rng.uniform(-4, 4, size=(2, 7, 9, 2)).astype("float32")
TARGETS = ("one_hot", "rows", "multilabels", "boxes_true")  # no gradient is asked for
OTHERS = (  # calls that differ, as their rows say, and what they are called with
    ("layers.TLU", "", ("images",)),
    ("layers.CorrelationCost", "1, 1, 2, 1, 2, 'channels_last'", ["images", "others"]),
    ("layers.SpatialPyramidPooling2D", "[3]", ("images",)),
    ("layers.MaxUnpooling2D", "(3, 3), (2, 2)", ("values", "shared")),
    ("metrics.MultiLabelConfusionMatrix", "num_classes=3", ("multilabels", "chances")),
    ("metrics.KendallsTauB", "actual_cutpoints=5, preds_cutpoints=5", ("ratings_true", "ratings")),
    ("metrics.KendallsTauC", "actual_cutpoints=5, preds_cutpoints=5", ("ratings_true", "ratings")),
    ("metrics.SpearmansRank", "actual_cutpoints=5, preds_cutpoints=5", ("ratings_true", "ratings")),
    ("losses.TripletSemiHardLoss", "", ("each_its_own", "embeddings")),
    ("losses.TripletHardLoss", "", ("one_alone", "embeddings")),
    ("losses.WeightedKappaLoss", "3", ("soft", "probabilities")),
    ("image.connected_components", "levels", ()),
    ("optimizers.NovoGrad", "learning_rate=falling", ()),
)
RENAMED = {  # weights, by their names in TensorFlow Addons
    "Variable": "frequency",
    "g": "kernel_g",
    "sn_u": "vector_u",
    "projection_weights": "projection",
    "kernel_norm/gamma": "kernel_gamma",
    "recurrent_norm/gamma": "recurrent_gamma",
    "state_norm/gamma": "state_gamma",
    "state_norm/beta": "state_beta",
    "input_gate_peephole_weights": "peepholes.0",
    "forget_gate_peephole_weights": "peepholes.1",
    "output_gate_peephole_weights": "peepholes.2",
}
STAY = (
    "initialized",
    "kernel_norm/beta",
    "recurrent_norm/beta",
    "eps_kernel",
    "eps_bias",
    "noise_inputs",
    "noise_units",
)


def value_of(code, names):
    """Return the value of an expression of ours."""
    return eval(code, names)  # noqa: S307


def name_of(row, example, names=None):
    """Return the key of a call's results; `names` are those of `OTHERS`."""
    return f"{row}({example})" + (f" of {', '.join(names)}" if names else "")


def inputs_of(row, example):
    """Return the names of what an object is called with, as a tuple, or as a list that is one."""
    if "Dense" in example:
        return ("x",)
    if "sparse_labels=True" in example:
        return ("classes", "probabilities")
    return INPUTS.get(row) or INPUTS[row.split(".")[0]]


def kind_of(row):
    """Return how calls of a row are tried."""
    module, name = row.split(".")
    if name[0].islower():
        return "class" if row == "optimizers.extend_with_decoupled_weight_decay" else "function"
    if module == "optimizers":
        return "schedule" if name.endswith("CyclicalLearningRate") else "optimizer"
    if row == "seq2seq.SequenceLoss":
        return "loss"
    return {"layers": "layer", "losses": "loss", "metrics": "metric", "rnn": "cell"}[module]


def outcome(row, example, code, namespace, names=None):
    """Return what `code`, an old call or what replaces it, computes, as arrays by name.

    It is called with the data of these names, or with those that its row has in `INPUTS`.
    """
    kind = kind_of(row)
    if kind == "function":
        return function(code, namespace)
    if kind in ("optimizer", "class", "schedule"):
        keras = namespace["keras"]
        schedules = keras.optimizers.schedules
        namespace = namespace | {
            "falling": schedules.PiecewiseConstantDecay([3, 6], [0.1, 0.03, 0.01]),
            "decaying": schedules.PiecewiseConstantDecay([2, 5], [0.02, 0.01, 0.005]),
        }
    made = value_of(code, namespace)
    if kind in ("optimizer", "class", "schedule"):
        names = ()
    names = inputs_of(row, example) if names is None else names
    inputs = [tf.constant(DATA[name]) for name in names]
    if kind == "metric":
        return metric(made, inputs)
    if kind == "loss":
        return loss(made, *inputs)
    if kind == "schedule":
        return {"rates": np.array([float(made(tf.constant(float(t)))) for t in range(25)])}
    if kind == "class":
        made = made(weight_decay=0.01, learning_rate=0.01)
    if kind in ("optimizer", "class"):
        return trajectory(made, namespace["keras"])
    if kind == "cell":
        made = namespace["keras"].layers.RNN(made, return_sequences=True)
    return layer(made, [inputs] if isinstance(names, list) else inputs)


# --- one kind each ----------------------------------------------------------------------


def cotangent(shape):
    """Return the weights of the sum of outputs whose gradient is taken."""
    n = int(np.prod(shape))
    return np.cos(1 + np.arange(n)).reshape(shape).astype("float32")


def total(outputs):
    sums = [
        tf.reduce_sum(tf.where(tf.math.is_finite(y), y, 0) * cotangent(y.shape))
        for y in outputs
        if y.dtype.is_floating
    ]
    return tf.add_n(sums) if sums else tf.constant(0.0)


def flat(outputs):
    outputs = outputs if isinstance(outputs, tuple | list) else [outputs]
    return [tf.convert_to_tensor(y) for y in outputs]


def arrays(outputs):
    return {f"value{i}": np.asarray(y) for i, y in enumerate(outputs)}


def function(code, namespace):
    """The values of an expression over `DATA`, and the gradients of its floats."""
    names = [n for n in dict.fromkeys(re.findall(r"\w+", code)) if n in DATA]
    tensors = {n: tf.constant(DATA[n]) for n in names}
    floats = {n: t for n, t in tensors.items() if t.dtype.is_floating and n not in TARGETS}
    with tf.GradientTape() as tape:
        tape.watch(floats)
        outputs = flat(value_of(code, namespace | tensors))
        y = total(outputs)
    result = arrays(outputs)
    for n, g in tape.gradient(y, floats).items():
        if g is not None:
            result[f"gradient/{n}"] = np.asarray(tf.convert_to_tensor(g))
    return result


def loss(made, y_true, y_pred, sample_weight=None):
    weighted = {} if sample_weight is None else {"sample_weight": sample_weight}
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        y = tf.convert_to_tensor(made(y_true, y_pred, **weighted))
        scalar = total([y])
    return {"value0": np.asarray(y), "gradient/y_pred": np.asarray(tape.gradient(scalar, y_pred))}


def metric(made, inputs):
    """The result after the halves of the data, one after the other."""
    half = len(inputs[0]) // 2
    for part in (slice(None, half), slice(half, None)):
        made.update_state(*(x[part] for x in inputs))
    return {"value0": np.asarray(made.result())}


def layer(made, inputs):
    """Outputs in training, and the gradients of inputs and weights, which are drawn anew."""
    made(*inputs)
    result, noisy = {}, hasattr(made, "remove_noise")
    if noisy:
        made.remove_noise()
    for name, w in weights_of(made):
        value = np.asarray(w)
        if value.size and np.ptp(value) == 0 and name != "recurrent_kernel":  # it may be sparse
            result[f"start/{name}"] = value.ravel()[:1]
        w.assign(drawn(name, w.shape))
    floats = [x for x in tf.nest.flatten(inputs) if x.dtype.is_floating]
    parts = [(n, w) for n, w in weights_of(made) if w.trainable]
    with tf.GradientTape() as tape:
        tape.watch(floats)
        outputs = flat(made(*inputs, training=not noisy))
        y = total(outputs)
    variables = [w if isinstance(w, tf.Variable) else w.value for _, w in parts]
    gradients = tape.gradient(y, [*floats, *variables])
    result |= arrays(outputs)
    names = [*(f"x{i}" for i in range(len(floats))), *(n for n, _ in parts)]
    for n, g in zip(names, gradients, strict=True):
        if g is not None:
            result[f"gradient/{n}"] = np.asarray(tf.convert_to_tensor(g))
    return result


def weights_of(made):
    """Return the weights that are compared, by the name that they have in kcatalog or Keras."""
    for w in made.weights:
        path = getattr(w, "path", w.name).split(":")[0].split("/")
        pair = "/".join(path[-2:])
        name = pair if pair in (*RENAMED, *STAY) else path[-1]
        if name not in STAY:
            yield RENAMED.get(name, name), w


def drawn(name, shape):
    """Return the value of a weight, which depends on its name."""
    name, _, part = name.partition(".")
    if name == "peepholes":
        shape = (3, int(shape[-1]))
    n = int(np.prod(shape))
    value = np.random.default_rng(zlib.crc32(name.encode())).normal(size=n).reshape(shape) / 2
    return (value[int(part)] if part else value).astype("float32")


def gradients():
    """Return the gradients of each step: large, small and tiny ones, and their signs change."""
    draw = np.random.default_rng(7)
    scale = np.array([[1, 0.1], [1e-3, 1e-5], [1e-7, 3]])
    return [
        [
            (draw.normal(size=(3, 2)) * scale).astype("float32"),
            draw.normal(size=2).astype("float32"),
        ]
        for _ in range(STEPS)
    ]


def trajectory(optimizer, keras):
    """The weights after each step, and the averages of an optimizer that keeps any."""
    start = [drawn("kernel", (3, 2)), drawn("bias", (2,))]
    old = hasattr(optimizer, "_create_all_weights")
    make = tf.Variable if old else keras.Variable
    variables = [make(w, name=n) for w, n in zip(start, ("kernel", "bias"), strict=True)]
    path = []
    for g in gradients():
        g = [tf.constant(x) for x in g]
        if old:
            optimizer.apply_gradients(zip(g, variables, strict=True))
        else:
            optimizer.apply(g, variables)
        path.append(np.concatenate([np.asarray(v).ravel() for v in variables]))
    result = {"path": np.stack(path)}
    if hasattr(optimizer, "assign_average_vars"):
        optimizer.assign_average_vars(variables)
    elif not old:
        optimizer.finalize_variable_values(variables)
    result["final"] = np.concatenate([np.asarray(v).ravel() for v in variables])
    return result
