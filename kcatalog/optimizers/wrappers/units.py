"""Units of a layer, told from the name and the shape of its weight."""

import re

# Axes that count units, by the end of a weight's path, where it is not the last axis alone.
_UNIT_AXES = {
    r"(^|/)(embeddings|lora_embeddings_a)$": (0,),  # a table: each row is looked up alone
    r"depthwise\w*[/_]kernel$": (-2, -1),  # each channel, times the depth multiplier
    r"(^|/)(query|key|value)/kernel$": (-2, -1),  # attention: heads, and units in each
}


def incoming_axes(variable):
    """Return the axes over which the weights of one unit lie: all but those that count units.

    Keras's variables do not say what layer they belong to, so Keras's names do: a lookup table is
    called `embeddings`, and the path of a depthwise kernel has "depthwise" in it. A weight with one
    axis or none (bias, scale) is one unit.
    """
    rank = len(variable.shape)
    path = getattr(variable, "path", variable.name)
    found = (axes for pattern, axes in _UNIT_AXES.items() if re.search(pattern, path))
    units = {axis % rank for axis in next(found, (-1,))} if rank > 1 else set()
    return tuple(axis for axis in range(rank) if axis not in units or len(units) == rank)
