"""Writes the golden values of TensorFlow Addons; README.md beside it names the environment."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

FOLDER = Path(__file__).parent
PEER = f"tensorflow-addons {tfa.__version__}, tensorflow {tf.__version__}"
STEPS = 15


def write(name, **arrays):
    np.savez_compressed(FOLDER / f"{name}.npz", peer=np.array(PEER), **arrays)


def float32(x):
    return np.asarray(x, dtype="float32")


def triplet_semi_hard():
    """Value and gradient per label pattern, distance and margin.

    The duplicates lie on a grid of 1/16, where squares and sums are exact: equal distances are then
    equal in every implementation. Across classes, angular distances of duplicates would still
    be decided by rounding; they are NaN here.
    """
    rng = np.random.default_rng(7)
    labels = {
        "balanced": np.repeat(np.arange(4), 4),
        "unbalanced": np.array([0] * 9 + [1] * 4 + [2] * 2 + [3]),
        "shuffled": rng.permutation(np.array([5, 5, 5, 5, 5, 5, 8, 8, 8, 8, 8, -1, -1, -1, 3, 3])),
        "one_pair": np.array([0, 0, *range(1, 15)]),
        "duplicates_within": np.repeat(np.arange(4), 4),
        "duplicates_across": np.repeat(np.arange(4), 4),
        "one_class": np.zeros(16, dtype=int),
        "no_positives": np.arange(16),
    }
    x = {name: rng.normal(size=(16, 8)) for name in labels}
    x["balanced"] *= 0.3
    x["shuffled"] /= np.linalg.norm(x["shuffled"], axis=1, keepdims=True)
    for name in ("duplicates_within", "duplicates_across"):
        x[name] = np.round(6 * x[name]) / 16
    x["duplicates_within"][[1, 2]] = x["duplicates_within"][0]
    x["duplicates_within"][7] = x["duplicates_within"][4]
    x["duplicates_across"][[1, 4, 8]] = x["duplicates_across"][0]
    x["duplicates_across"][15] = x["duplicates_across"][5]
    distances, margins = ["L2", "squared-L2", "angular"], [0.5, 1.0]
    value = np.full((len(labels), len(distances), len(margins)), np.nan, dtype="float32")
    gradient = np.full((*value.shape, 16, 8), np.nan, dtype="float32")
    for p, pattern in enumerate(labels):
        for d, distance in enumerate(distances):
            if pattern == "duplicates_across" and distance == "angular":
                continue
            for m, margin in enumerate(margins):
                loss = tfa.losses.TripletSemiHardLoss(margin, distance_metric=distance)
                e = tf.constant(float32(x[pattern]))
                with tf.GradientTape() as tape:
                    tape.watch(e)
                    result = loss(tf.constant(labels[pattern]), e)
                value[p, d, m] = result
                gradient[p, d, m] = tape.gradient(result, e)
    write(
        "tfa_triplet_semi_hard",
        pattern=np.array(list(labels)),
        distance=np.array(distances),
        margin=float32(margins),
        x=float32(list(x.values())),
        labels=np.array(list(labels.values()), dtype="int32"),
        value=value,
        gradient=gradient,
    )


def layer_norm_lstm():
    """The whole sequence, with and without a mask, in float64 from inputs exact in float32."""
    rng = np.random.default_rng(11)
    units, steps, features = 5, 7, 4
    x = float32(rng.normal(size=(3, steps, features)))
    cotangent = float32(rng.normal(size=(3, steps, units)))
    mask = np.array([[True] * 7, [True] * 4 + [False] * 3, [False, True, True, False] + [True] * 3])
    weights = {
        "kernel": rng.normal(size=(features, 4 * units)),
        "recurrent_kernel": rng.normal(size=(units, 4 * units)),
        "bias": rng.normal(size=4 * units),
        "kernel_gamma": rng.uniform(0.5, 1.5, size=4 * units),
        "kernel_beta": 0.3 * rng.normal(size=4 * units),
        "recurrent_gamma": rng.uniform(0.5, 1.5, size=4 * units),
        "recurrent_beta": 0.3 * rng.normal(size=4 * units),
        "state_gamma": rng.uniform(0.5, 1.5, size=units),
        "state_beta": 0.3 * rng.normal(size=units),
    }
    weights = {name: float32(w) for name, w in weights.items()}
    tf.keras.backend.set_floatx("float64")
    cell = tfa.rnn.LayerNormLSTMCell(units)
    rnn = tf.keras.layers.RNN(cell, return_sequences=True, return_state=True)
    rnn.build(x.shape)
    variables = {
        "kernel": cell.kernel,
        "recurrent_kernel": cell.recurrent_kernel,
        "bias": cell.bias,
        "kernel_gamma": cell.kernel_norm.gamma,
        "kernel_beta": cell.kernel_norm.beta,
        "recurrent_gamma": cell.recurrent_norm.gamma,
        "recurrent_beta": cell.recurrent_norm.beta,
        "state_gamma": cell.state_norm.gamma,
        "state_beta": cell.state_norm.beta,
    }
    for name, variable in variables.items():
        variable.assign(weights[name])
    results = {}
    for prefix, given in (("", None), ("masked_", tf.constant(mask))):
        inputs = tf.constant(x, dtype="float64")
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs, h, c = rnn(inputs, mask=given)
            target = tf.reduce_sum(outputs * cotangent)
        wanted = {"x": inputs, **variables} if given is None else {"x": inputs}
        gradients = tape.gradient(target, wanted)
        results |= {f"{prefix}output": outputs, f"{prefix}state_h": h, f"{prefix}state_c": c}
        results |= {f"{prefix}gradient_{name}": g for name, g in gradients.items()}
    tf.keras.backend.set_floatx("float32")
    write(
        "tfa_layer_norm_lstm",
        x=x,
        mask=mask,
        cotangent=cotangent,
        epsilon=np.array(cell.norm_epsilon),
        **weights,
        **{name: np.asarray(result) for name, result in results.items()},
    )


def quadratic():
    """The loss w·A·w/2 - b·w: its matrix A, its vector b and a start, exact in float32."""
    rng = np.random.default_rng(3)
    root = rng.normal(size=(4, 4))
    return (
        float32(root @ root.T / 4 + np.eye(4) / 4),
        float32(rng.normal(size=4)),
        float32([2, -1, 0.5, 3]),
    )


def trajectory(optimizer, slot, dtype):
    """Weights before the first and after every step, the slot beside them, the gradients given."""
    A, b, start = (np.asarray(part, dtype=dtype) for part in quadratic())
    w = tf.Variable(start)
    weights, kept, gradients = [start], [], []
    for _ in range(STEPS):
        gradients.append(A @ w.numpy() - b)
        optimizer.apply_gradients([(tf.constant(gradients[-1]), w)])
        weights.append(w.numpy())
        kept.append(optimizer.get_slot(w, slot).numpy())
    return np.array(weights), np.array(kept), np.array(gradients)


def sgd():
    return tf.keras.optimizers.legacy.SGD(0.1, momentum=0.9)


def adam():
    return tf.keras.optimizers.legacy.Adam(0.1)


def lookahead():
    A, b, _ = quadratic()
    arrays = {}
    for name, inner in (("sgd", sgd), ("adam", adam)):
        wrapped = tfa.optimizers.Lookahead(inner(), sync_period=4, slow_step_size=0.3)
        fast, slow, gradients = trajectory(wrapped, "slow", "float64")
        arrays |= {f"{name}_w": fast, f"{name}_slow": slow, f"{name}_gradients": gradients}
    settings = {"sync_period": np.array(4), "slow_step_size": np.array(0.3)}
    write("tfa_lookahead", A=A, b=b, **settings, **arrays)


def swa():
    """In float32: the peer's average takes nothing else."""
    A, b, _ = quadratic()
    arrays = {}
    for name, start, period in (("late", 3, 4), ("every_step", 0, 1)):
        wrapped = tfa.optimizers.SWA(sgd(), start_averaging=start, average_period=period)
        w, average, gradients = trajectory(wrapped, "average", "float32")
        arrays |= {f"{name}_w": w, f"{name}_average": average, f"{name}_gradients": gradients}
        arrays |= {f"{name}_start": np.array(start), f"{name}_period": np.array(period)}
    write("tfa_swa", A=A, b=b, **arrays)


def stochastic_depth():
    rng = np.random.default_rng(5)
    shortcut, residual = float32(rng.normal(size=(2, 2, 3, 3, 2)))
    survival = [0.25, 0.5, 0.9]
    outputs = [
        tfa.layers.StochasticDepth(p)(
            [tf.constant(shortcut), tf.constant(residual)], training=False
        )
        for p in survival
    ]
    write(
        "tfa_stochastic_depth",
        shortcut=shortcut,
        residual=residual,
        survival_probability=float32(survival),
        output=float32(outputs),
    )


if __name__ == "__main__":
    triplet_semi_hard()
    layer_norm_lstm()
    lookahead()
    swa()
    stochastic_depth()
