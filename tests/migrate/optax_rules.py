"""Steps where Keras or kcatalog and optax differ: plain rules of both, written from their papers.

A rule is a function `(w, g, s, t)` of a weight, its gradient, a dictionary that it may keep
numbers in, and the step from 1 on; it returns the new weight.
"""

import numpy as np

from tests.migrate import other_calls


def walked(rule):
    """Return the path of weights under a rule."""
    weights = other_calls.start()
    kept, count = [{} for _ in weights], [0]

    def step(gradients):
        count[0] += 1
        pairs = zip(weights, gradients, kept, strict=True)
        weights[:] = [rule(w, g, s, count[0]) for w, g, s in pairs]
        return list(weights)

    return other_calls.walk(step)


def mean(s, name, x, b):
    """Return the moving average of `x`, which starts at 0."""
    s[name] = b * s.get(name, 0.0) + (1 - b) * x
    return s[name]


def adadelta(decoupled):
    """Zeiler's rule with a weight decay of 0.1: decoupled, or added to the gradient."""

    def rule(w, g, s, t):
        w, g = (w - 0.5 * 0.1 * w, g) if decoupled else (w, g + 0.1 * w)
        last = s.get("d", 0.0)
        d = g * np.sqrt(last + 1e-6) / np.sqrt(mean(s, "g", g**2, 0.9) + 1e-6)
        mean(s, "d", d**2, 0.9)
        return w - 0.5 * d

    return rule


def amsgrad(corrected):
    """Keep the largest second moment: of the corrected ones, or of those before correction."""

    def rule(w, g, s, t):
        m, v = mean(s, "m", g, 0.9) / (1 - 0.9**t), mean(s, "v", g**2, 0.9)
        c = 1 - 0.9**t
        s["max"] = np.maximum(s.get("max", 0.0), v / c if corrected else v)
        return w - 0.01 * m / np.sqrt(s["max"] if corrected else s["max"] / c)

    return rule


def nadam(b1, decay, scheduled):
    """Dozat's rule: a schedule of the momentum, or a constant one; decay before or in the step."""

    def momentum(t):
        return b1 * (1 - 0.5 * 0.96**t) if scheduled else b1

    def rule(w, g, s, t):
        u, after = momentum(t), momentum(t + 1)
        s["product"] = s.get("product", 1.0) * u
        m, v = mean(s, "m", g, b1), mean(s, "v", g**2, 0.999) / (1 - 0.999**t)
        first = after * m / (1 - s["product"] * after) + (1 - u) * g / (1 - s["product"])
        decayed = w - 0.01 * decay * w
        return decayed - 0.01 * first / (np.sqrt(v) + 1e-8)

    return rule


def lars(of_sum):
    """You's rule with a decay of 0.1: divide by the sum of norms, or by the norm of the sum."""

    def rule(w, g, s, t):
        norm, decayed = np.linalg.norm, g + 0.1 * w
        below = norm(decayed) if of_sum else norm(g) + 0.1 * norm(w)
        s["v"] = 0.9 * s.get("v", 0.0) + 0.1 * 0.02 * norm(w) / below * decayed
        return w - s["v"]

    return rule


RULES = {  # call -> the new rule, the old one
    "adadelta(0.5, weight_decay=0.1)": (adadelta(True), adadelta(False)),
    "amsgrad(0.01, b2=0.9)": (amsgrad(False), amsgrad(True)),
    "nadam(0.01, b1=0.8)": (nadam(0.8, 0.0, True), nadam(0.8, 0.0, False)),
    "nadamw(0.01, weight_decay=0.1)": (nadam(0.9, 0.1, True), nadam(0.9, 0.1, False)),
    "lars(0.1, weight_decay=0.1, trust_coefficient=0.02)": (lars(False), lars(True)),
}
