"""Contestants that take turns in one process, so that a busy machine is busy for all of them."""

import statistics
import time


def measure(steps, rounds):
    """Return the wall and the processor times of each step, taken in turns."""
    for step in steps.values():
        step()  # compiles
    times = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            wall, processor = time.perf_counter(), time.process_time()
            step()
            times[name].append((time.perf_counter() - wall, time.process_time() - processor))
    return times


def ratios(own, other):
    """Return the median ratios of two contestants' turns: of wall time, of processor time."""
    return tuple(
        statistics.median(a[i] / b[i] for a, b in zip(own, other, strict=True)) for i in (0, 1)
    )


def milliseconds(times):
    """Return the median wall time of a contestant's turns."""
    return 1e3 * statistics.median(wall for wall, _ in times)
