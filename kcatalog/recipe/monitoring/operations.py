"""The slowest operations of a trace, by the time each spends outside the operations it calls.

TensorFlow and JAX write the same format, XSpace.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

SHOWN = 15  # operations
# What the profiler and the machinery around operations write of themselves.
NOISE = re.compile(
    r"\$|end: |Thread|Eager|FunctionRun|ParallelFor|Pjit|.*(::|=|<|Wait|Listener|Execut|Iterator"
    r"|_iterator|Dataset|Buffer|Prefetch)"
)

Spent = dict[str, tuple[int, float]]  # operation -> how often, milliseconds


def slowest(spent: Spent) -> list[tuple[str, int, float, float]]:
    """(operation, how often, milliseconds, share of all), the slowest first."""
    total = sum(ms for _, ms in spent.values()) or 1.0
    ranked = sorted(spent.items(), key=lambda item: -item[1][1])[:SHOWN]
    return [(name, count, ms, ms / total) for name, (count, ms) in ranked]


def as_text(spent: Spent) -> str:
    """The slowest operations for the terminal."""
    rows = [f"{'operation':<44} {'calls':>7} {'ms':>10} {'share':>6}"]
    for name, count, ms, share in slowest(spent):
        rows.append(f"{name[:44]:<44} {count:>7} {ms:>10.2f} {share:>6.1%}")
    return "\n".join(rows)


def as_markdown(spent: Spent) -> str:
    """The slowest operations for TensorBoard's Text tab."""
    rows = ["| operation | calls | ms | share |", "|---|---|---|---|"]
    for name, count, ms, share in slowest(spent):
        rows.append(f"| `{name}` | {count} | {ms:.2f} | {share:.1%} |")
    return "\n".join(rows)


def self_times(events: Iterable[tuple[str, float, float]]) -> Spent:
    """What each operation of one thread takes, without what it calls.

    Args:
        events: (name, begin, duration) in milliseconds.

    >>> self_times([("all", 0.0, 10.0), ("part", 2.0, 3.0), ("part", 6.0, 1.0)])
    {'all': (1, 6.0), 'part': (2, 4.0)}
    """
    spent: dict[str, list] = defaultdict(lambda: [0, 0.0])
    around: list[tuple[str, float]] = []  # (name, end) of the operations that are under way
    for name, begin, duration in sorted(events, key=lambda e: (e[1], -e[2])):
        while around and around[-1][1] <= begin:
            around.pop()
        if around:
            spent[around[-1][0]][1] -= duration
        spent[name][0] += 1
        spent[name][1] += duration
        around.append((name, begin + duration))
    return {name: (count, ms) for name, (count, ms) in spent.items()}


def read_xspace(file: Path) -> Spent:
    """What each operation takes in a trace of TensorFlow or JAX: on devices, else on the host."""
    # No public reader ships with TensorFlow; the format's own description does.
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace.FromString(file.read_bytes())
    devices = [p for p in space.planes if p.name.startswith("/device:") and p.lines]
    spent: dict[str, list] = defaultdict(lambda: [0, 0.0])
    for plane in devices or [p for p in space.planes if p.name.startswith("/host:CPU")]:
        names = {i: m.name for i, m in plane.event_metadata.items()}
        for line in plane.lines:
            events = [(names[e.metadata_id], e.offset_ps, e.duration_ps) for e in line.events]
            kept = [(_kind(n), b / 1e9, d / 1e9) for n, b, d in events if not NOISE.match(n)]
            for name, (count, ms) in self_times(kept).items():
                spent[name][0] += count
                spent[name][1] += ms
    return {name: (count, ms) for name, (count, ms) in spent.items()}


def _kind(name: str) -> str:
    """`model/conv2d/Conv2D:Conv2D` and `dot.12` by what they do."""
    return re.sub(r"[._]\d+$", "", name.rpartition(":")[2].strip() or name)
