"""Sorting many rows side by side, and counting in them.

`keras.ops.sort` compares one pair of numbers at a time when XLA compiles it for a CPU. A sorting
network compares whole columns at once: `log²` steps, each a minimum and a maximum of all rows,
which vector units do at the speed of memory (6 times faster for 1024 rows of 128 numbers).
"""

from keras import ops

from kcatalog.types import Tensor


def sort_rows(x: Tensor) -> Tensor:
    """Return `x` with every row in rising order; any number of columns.

    Batcher's bitonic network in the form where all comparisons point one way: to merge two sorted
    halves, the first step compares place `i` with its mirror image, the others with the place
    `distance` away. Places beyond the end count as infinite, which never have to move.

    >>> [float(v) for v in sort_rows(ops.convert_to_tensor([[3.0, 1.0, 2.0]]))[0]]
    [1.0, 2.0, 3.0]
    """
    x = ops.transpose(x)
    places = ops.shape(x)[0]
    i = ops.arange(places, dtype="int32")

    def compare(size, flip, x):  # flip: the bits in which the two places of a pair differ
        other = ops.bitwise_xor(i, flip)
        other = ops.where(other < places, other, i)
        y = ops.take(x, other, axis=0)
        x = ops.where((i <= other)[:, None], ops.minimum(x, y), ops.maximum(x, y))
        distance = ops.where(flip == size - 1, size // 4, flip // 2)
        merged = distance == 0
        size = ops.where(merged, 2 * size, size)
        return size, ops.where(merged, size - 1, distance), x

    start = ops.convert_to_tensor(2, "int32"), ops.convert_to_tensor(1, "int32"), x
    x = ops.while_loop(lambda size, flip, x: size < 2 * places, compare, start)[2]
    return ops.transpose(x)


def count_below(rows: Tensor, x: Tensor, including: bool = False) -> Tensor:
    """Count for each number of `x` how many of the same row of `rows` are below it.

    Args:
        rows: `(n, places)`, each row in rising order.
        x: `(n, any)`.
        including: True to count equal numbers too.

    Returns:
        int32 of the shape of `x`, by binary search.

    >>> rows, x = ops.convert_to_tensor([[1.0, 2.0]]), ops.convert_to_tensor([[2.0]])
    >>> int(count_below(rows, x)[0, 0])
    1
    """
    n, places = ops.shape(rows)[0], ops.shape(rows)[1]
    flat = ops.reshape(rows, (-1,))  # one row of numbers: the fastest gather on every backend
    before = places * ops.arange(n, dtype="int32")[:, None] - 1
    below = ops.less_equal if including else ops.less

    def halve(left, last):  # the last number below is at one of the places `last` to `last + left`
        further = last + (left + 1) // 2
        return left // 2, ops.where(below(ops.take(flat, further), x), further, last)

    start = ops.convert_to_tensor(places, "int32"), before + ops.zeros_like(x, dtype="int32")
    return ops.while_loop(lambda left, last: left > 0, halve, start)[1] - before
