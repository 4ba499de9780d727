"""A recipe whose trials may take memory without end."""

import dataclasses
import time

import numpy as np

from tests.recipe import tiny


def build(hp, data):
    """The tiny recipe's model, if it comes to that."""
    held, greedy = [], hp.Boolean("greedy")
    while greedy:
        held.append(np.ones(10**8, "uint8"))
        time.sleep(0.02)
    return tiny.build(hp, data)


recipe = dataclasses.replace(tiny.recipe, name="greedy", build=build)

if __name__ == "__main__":
    recipe.main()
