"""A recipe whose trials crash, fill the memory or wait, each where it is told to."""

import dataclasses
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from tests.recipe import tiny


def build(hp, data):
    """The tiny recipe's model, if it comes to that."""
    fate = hp.Choice("fate", ["fine", "killed", "greedy"])
    if fate == "killed":
        print("about to be killed", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    held = []
    while fate == "greedy":
        held.append(np.ones(10**8, "uint8"))
        time.sleep(0.02)
    if "WAIT" in os.environ and "trial" in sys.argv:
        Path("waiting").write_text(str(os.getpid()))
        while True:
            time.sleep(0.1)
    return tiny.build(hp, data)


recipe = dataclasses.replace(tiny.recipe, name="crashing", build=build)

if __name__ == "__main__":
    recipe.main()
