"""Calls of other libraries: what an old optimizer and its successor are tried on; NumPy alone."""

import ast

import numpy as np

STEPS = 8


def start():
    """Return two weights."""
    draw = np.random.default_rng(1)
    return [draw.normal(size=(3, 2)), draw.normal(size=2)]


def gradients():
    """Return the gradients of each step, which are far above any epsilon."""
    draw = np.random.default_rng(2)
    signs = [
        (np.sign(draw.normal(size=(3, 2))), np.sign(draw.normal(size=2))) for _ in range(STEPS)
    ]
    return [[s * draw.uniform(0.3, 3, size=s.shape) for s in pair] for pair in signs]


def walk(step):
    """Return the weights after each step; `step(gradients)` returns them."""
    path = [step(g) for g in gradients()]
    return np.stack([np.concatenate([np.asarray(w).ravel() for w in weights]) for weights in path])


def given(names, example, **space):
    """Return the arguments of a call, such as `0.1, b1=0.8`, by their names."""
    call = ast.parse(f"f({example})", mode="eval").body
    positional = zip(names, call.args, strict=False)
    pairs = [*positional, *((k.arg, k.value) for k in call.keywords)]
    code = {name: compile(ast.Expression(value), name, "eval") for name, value in pairs}
    return {name: eval(value, space) for name, value in code.items()}  # noqa: S307 - of our tables


def segments():
    """Return logits of images, their classes as one-hot rows, and the losses of some epochs."""
    draw = np.random.default_rng(6)
    logits, classes = draw.normal(size=(2, 5, 5, 3)), draw.integers(0, 3, (2, 5, 5))
    losses = [3.0, 2.0, 2.5, 2.5, 2.5, 2.5, 2.5, 1.0, 1.5, 1.5, 1.5, 1.5]
    return logits, np.eye(3)[classes], losses


# --- losses and layers of KerasCV -------------------------------------------------------


def images():
    """Return pictures with all brightnesses, and one channel of them darker than the others."""
    draw = np.random.default_rng(3)
    levels = draw.permuted(np.linspace(0, 255, 2 * 16 * 16 * 3)).reshape(2, 16, 16, 3)
    return (levels * [1.0, 0.8, 0.6]).round().astype("float32")


def boxes():
    """Return boxes as corners, (x1, y1, x2, y2)."""
    draw = np.random.default_rng(4)
    start, size = draw.uniform(0, 5, (6, 2)), draw.uniform(1, 4, (6, 2))
    return np.concatenate([start, start + size], axis=1).astype("float32")


def inputs(name):
    """Return the inputs of a row's object."""
    draw = np.random.default_rng(5)
    if name in ("losses.CIoULoss", "losses.GIoULoss"):
        return boxes(), boxes() + 0.5
    if name == "losses.SimCLRLoss":
        return tuple(draw.normal(size=(5, 4)).astype("float32") for _ in range(2))
    if name.startswith("losses."):
        bits = draw.integers(0, 2, (6, 4)).astype("float32")
        return bits, draw.uniform(0.05, 0.95, (6, 4)).astype("float32")
    return (images(),)


def outcome(name, made):
    """Return what an object of a row computes."""
    given = inputs(name)
    plain = name.startswith("losses.") or name == "layers.Augmenter"
    training = {} if plain else {"training": True}
    return np.asarray(made(*given, **training), "float32")


DRAWS = 512


def drawn(name, made):
    """Return means and deviations, over many draws, of what a random layer makes of two images."""
    x, labels = (np.repeat(a, DRAWS // 2, axis=0) for a in (images(), np.eye(2, dtype="float32")))
    mixes = name in ("layers.CutMix", "layers.MixUp")
    found = made({"images": x, "labels": labels} if mixes else x, training=True)
    found = dict(found) if mixes else {"images": found}
    each = {k: np.reshape(v, (2, DRAWS // 2, *np.shape(v)[1:])) for k, v in found.items()}
    means = {f"{k}/mean": v.mean(1).astype("float32") for k, v in each.items()}
    return means | {f"{k}/deviation": v.std(1).astype("float32") for k, v in each.items()}
