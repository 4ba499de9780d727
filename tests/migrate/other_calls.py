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


def given(names, example):
    """Return the arguments of a call, such as `0.1, b1=0.8`, by their names."""
    call = ast.parse(f"f({example})", mode="eval").body
    positional = zip(names, call.args, strict=False)
    pairs = [*positional, *((k.arg, k.value) for k in call.keywords)]
    return {name: ast.literal_eval(value) for name, value in pairs}


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
    training = {} if name.startswith("losses.") else {"training": True}
    return np.asarray(made(*given, **training), "float32")
