"""Units of a layer, told from the name and the shape of its weight."""

import re
from typing import Any

_TABLE = re.compile(r"(^|/)(embeddings|lora_embeddings_a|prototypes)$")
_TWO_AXES_OF_UNITS = re.compile(r"depthwise\w*[/_]kernel$|(^|/)(query|key|value)/kernel$")
_BIAS = re.compile(r"bias$")
_HEADS_OUT = re.compile(r"(^|/)(query|key|value)/kernel$")
_HEADS_IN = re.compile(r"(^|/)attention_output/kernel$")


def incoming_axes(variable: Any) -> tuple[int, ...]:
    """Return the axes over which the weights of one unit lie.

    Keras's variables do not say what layer they belong to, so the names that Keras gives do. In a
    table (`embeddings`) each row is a unit, in a kernel each index of the last axis: of the last
    two, if its path has "depthwise" in it (channels and their multiples) or if it is the `query`,
    `key` or `value` of an attention layer (heads and the units in each). A bias, a vector and a
    scalar are one unit.
    """
    path = _path(variable)
    axes = tuple(range(len(variable.shape)))
    if len(axes) < 2 or _BIAS.search(path):
        return axes
    if _TABLE.search(path):
        return axes[-1:]
    return axes[:-2] if len(axes) > 2 and _TWO_AXES_OF_UNITS.search(path) else axes[:-1]


def group_axes(variable: Any, groups: Any) -> tuple[int, ...] | None:
    """Return the axes over which the weights of one group lie, or None where there are no groups.

    Args:
        groups: "units" for what goes into one unit, "inputs" for what comes from one input, or
            "heads" for what one head of an attention layer holds.
    """
    path, rank = _path(variable), len(variable.shape)
    heads_out, heads_in = (rank == 3 and p.search(path) for p in (_HEADS_OUT, _HEADS_IN))
    if groups == "units":
        return incoming_axes(variable)
    if groups == "heads":
        return (0, 2) if heads_out else (1, 2) if heads_in else None
    if heads_out or heads_in:
        return (1, 2) if heads_out else (2,)
    return tuple(a for a in range(rank) if a != rank - 2) if rank > 1 else None


def is_table(variable: Any) -> bool:
    """Return whether a weight is a lookup table, of which a step reads some rows."""
    return bool(_TABLE.search(_path(variable)))


def _path(variable):
    return getattr(variable, "path", variable.name.split(":")[0])
