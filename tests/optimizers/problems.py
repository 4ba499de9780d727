"""Three problems with gradients written out in NumPy, shared with the scripts that ask peers.

Each gives `start()`, a list of weights in float64, and `gradients(weights)`. It imports NumPy
alone, so that every peer's environment can import it.
"""

import numpy as np

STEPS = 50
KEPT = (1, 2, 3, 5, 10, 20, 50)  # the steps whose weights a golden file holds


class Quadratic:
    """Half of `Σ λ (w - 1)²`, of condition 1000, in two weights that the rotation mixes."""

    def __init__(self):
        rng = np.random.default_rng(1)
        rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0]
        self.curvature = rotation @ np.diag(np.logspace(-2, 1, 6)) @ rotation.T

    def start(self):
        w = np.random.default_rng(2).normal(size=6)
        return [w[:2], w[2:].reshape(2, 2)]

    def gradients(self, weights):
        g = self.curvature @ (np.concatenate([w.ravel() for w in weights]) - 1)
        return [g[:2], g[2:].reshape(2, 2)]


class Logistic:
    """The cross-entropy of a binary logistic regression with a bias, on 40 noisy samples."""

    def __init__(self):
        rng = np.random.default_rng(3)
        self.x = rng.normal(size=(40, 4)) * [1.0, 3.0, 0.3, 1.0]
        self.y = (self.x @ [1.0, -0.5, 2.0, 0.0] + rng.normal(size=40) > 0).astype("float64")

    def start(self):
        return [np.random.default_rng(4).normal(size=(4, 1)), np.zeros(1)]

    def gradients(self, weights):
        kernel, bias = weights
        p = 0.5 + 0.5 * np.tanh((self.x @ kernel + bias)[:, 0] / 2)
        error = (p - self.y)[:, None] / len(self.x)
        return [self.x.T @ error, error.sum(axis=0)]


class SmallCNN:
    """A convolution (3 x 3), tanh, a mean over positions, a dense layer and softmax."""

    def __init__(self):
        rng = np.random.default_rng(5)
        images = rng.normal(size=(12, 6, 6, 2))
        self.labels = rng.integers(3, size=12)
        images += self.labels[:, None, None, None] * np.array([0.5, -0.5])
        # Patches of 3 x 3 pixels: (samples, positions, rows, columns, channels)
        self.patches = np.stack(
            [images[:, i : i + 3, j : j + 3] for i in range(4) for j in range(4)], axis=1
        )

    def start(self):
        rng = np.random.default_rng(6)
        kernel, dense = 0.3 * rng.normal(size=(3, 3, 2, 4)), 0.5 * rng.normal(size=(4, 3))
        return [kernel, np.zeros(4), dense, np.zeros(3)]

    def gradients(self, weights):
        kernel, bias, dense, dense_bias = weights
        h = np.tanh(np.einsum("npijc,ijcf->npf", self.patches, kernel) + bias)
        logits = h.mean(axis=1) @ dense + dense_bias
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        error = p / p.sum(axis=1, keepdims=True)
        error[np.arange(12), self.labels] -= 1
        error /= 12
        before = (error @ dense.T)[:, None] / 16 * (1 - h**2)
        return [
            np.einsum("npijc,npf->ijcf", self.patches, before),
            before.sum(axis=(0, 1)),
            h.mean(axis=1).T @ error,
            error.sum(axis=0),
        ]


PROBLEMS = {"quadratic": Quadratic(), "logistic": Logistic(), "cnn": SmallCNN()}


def flat(weights):
    return np.concatenate([np.ravel(w) for w in weights])


def gradients(problem, weights):
    return problem.gradients(weights)


def function(problem, weights):
    return problem.gradients


def paths(step_of, given=gradients):
    """Return the weights at the steps in `KEPT`, by problem, for a golden file.

    Args:
        step_of: from the start of a problem to a function that takes gradients, makes one step
            and returns the new weights; all are lists of arrays.
        given: what a step is given: the gradients, or the `function` that computes them.
    """
    found = {}
    for name, problem in PROBLEMS.items():
        weights = problem.start()
        step, kept = step_of([w.copy() for w in weights]), []
        for t in range(1, STEPS + 1):
            weights = [np.array(w, "float64") for w in step(given(problem, weights))]
            if t in KEPT:
                kept.append(flat(weights))
        found[name] = np.stack(kept)
    return found
