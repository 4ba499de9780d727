"""Tells the benchmark when training begins and how each epoch ends.

As a program it runs a script whose training nobody can add to, `python clock.py SCRIPT ...`, and
adds the clock to every call of Keras's `fit` in it.
"""

import json
import os
import resource
import runpy
import sys
import time


def tell(**facts) -> None:
    """Print a line for the benchmark.

    It holds seconds since this process was started, of a clock and of the processor, the peak
    memory in MiB, and the facts.
    """
    seconds = time.time() - float(os.environ["BENCH_BEGAN"])
    used = resource.getrusage(resource.RUSAGE_SELF)
    known = {"seconds": seconds, "cpu": used.ru_utime + used.ru_stime}
    with open(os.environ["BENCH_REPORT"], "a", encoding="utf-8") as report:
        report.write(json.dumps({**known, "peak": used.ru_maxrss / 1024, **facts}) + "\n")


def clock():
    """Return a Keras callback that prints the clock."""
    import keras

    return keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: tell(step="begin"),
        on_epoch_end=lambda epoch, logs: tell(**{k: float(v) for k, v in logs.items()}),
    )


def _add_to_fit() -> None:
    import keras

    fit = keras.Model.fit

    def timed(model, *args, callbacks=(), **options):
        return fit(model, *args, callbacks=[*callbacks, clock()], **options)

    keras.Model.fit = timed


if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    _add_to_fit()
    runpy.run_path(sys.argv[0], run_name="__main__")
