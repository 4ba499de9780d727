"""Runs an equation written for one number of one weight in plain Python loops."""

import numpy as np


def one_by_one(equation, *starts):
    """Return what `problems.paths` takes, for an optimizer whose numbers do not see each other.

    Args:
        equation: from `w, g, t, *slots`, all numbers, to the new `w` and the new slots.
        starts: what each slot holds before the first step.
    """

    def step_of(start):
        weights = [list(w.ravel()) for w in start]
        slots = [[list(starts) for _ in w] for w in weights]
        t = 0

        def step(gradients):
            nonlocal t
            t += 1
            for k, g in enumerate(gradients):
                for i, g_i in enumerate(g.ravel()):
                    weights[k][i], *slots[k][i] = equation(weights[k][i], g_i, t, *slots[k][i])
            return [np.reshape(w, s.shape) for w, s in zip(weights, start, strict=True)]

        return step

    return step_of
