"""Gradients of table lookups: a few rows, of which some may repeat."""

from keras import ops

from kcatalog.types import Tensor


def sum_repeated(rows: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Sum the values of equal rows; each entry gets the sum of all entries of its row.

    The number of entries stays, so that shapes are static: entries of one row become equal.

    Args:
        rows: `(entries,)` row numbers.
        values: `(entries, ...)`.

    Returns:
        Rows in ascending order and the sums, in that order.

    >>> rows, sums = sum_repeated(ops.array([7, 2, 7]), ops.array([[1.0], [2.0], [3.0]]))
    >>> ops.convert_to_numpy(rows).tolist(), ops.convert_to_numpy(sums)[:, 0].tolist()
    ([2, 7, 7], [2.0, 4.0, 4.0])
    """
    order = ops.argsort(rows)
    rows, values = ops.take(rows, order, axis=0), ops.take(values, order, axis=0)
    starts = ops.concatenate(
        [ops.zeros_like(rows[:1]), ops.cast(rows[1:] != rows[:-1], rows.dtype)]
    )
    place = ops.cast(ops.cumsum(starts), "int32")
    sums = ops.segment_sum(values, place, num_segments=ops.shape(rows)[0])
    return rows, ops.take(sums, place, axis=0)
