"""Units of a layer, told from the name and the shape of its weight."""

import re

_TABLE = re.compile(r"(^|/)(embeddings|lora_embeddings_a|prototypes)$")
_TWO_AXES_OF_UNITS = re.compile(r"depthwise\w*[/_]kernel$|(^|/)(query|key|value)/kernel$")
_BIAS = re.compile(r"bias$")


def incoming_axes(variable):
    """Return the axes over which the weights of one unit lie.

    Keras's variables do not say what layer they belong to, so the names that Keras gives do. In a
    table (`embeddings`) each row is a unit, in a kernel each index of the last axis: of the last
    two, if its path has "depthwise" in it (channels and their multiples) or if it is the `query`,
    `key` or `value` of an attention layer (heads and the units in each). A bias, a vector and a
    scalar are one unit.
    """
    path = getattr(variable, "path", variable.name.split(":")[0])
    axes = tuple(range(len(variable.shape)))
    if len(axes) < 2 or _BIAS.search(path):
        return axes
    if _TABLE.search(path):
        return axes[-1:]
    return axes[:-2] if len(axes) > 2 and _TWO_AXES_OF_UNITS.search(path) else axes[:-1]
