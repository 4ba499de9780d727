"""Exact comparisons of token sequences in batches, with static shapes."""

from keras import ops

from kcatalog.types import Tensor


def edit_distance(a: Tensor, n_a: Tensor, b: Tensor, n_b: Tensor, substitution: int = 1) -> Tensor:
    """Return the fewest insertions, deletions and substitutions that turn `a` into `b`.

    `D(i, j)`, the distance of the first `i` tokens of `a` to the first `j` of `b`, depends on its
    neighbours above and to the left. So all of a diagonal `i + j = d` is computed at once, in
    `length a + length b` steps that keep two diagonals.

    Args:
        a, b: ids `(batch, length)`.
        n_a, n_b: how many of them count, `(batch,)`.
        substitution: its cost; at 2, that of a deletion and an insertion, the distance is
            `n_a + n_b - 2 · (longest common subsequence)`.

    Returns:
        `(batch,)` int32.

    >>> int(edit_distance([[1, 2, 3]], [3], [[2, 3, 4]], [3])[0])
    2
    """
    a, b = ops.convert_to_tensor(a, "int32"), ops.convert_to_tensor(b, "int32")
    n_a, n_b = ops.convert_to_tensor(n_a, "int32"), ops.convert_to_tensor(n_b, "int32")
    b = ops.pad(b, ((0, 0), (0, 1)))
    length_a, length_b = ops.shape(a)[1], ops.shape(b)[1]
    far = 2**30
    i = ops.arange(1, length_a + 1, dtype="int32")

    def next_diagonal(d, state):
        before, last, distance = state
        b_j = ops.take(b, ops.clip(d - 1 - i, 0, length_b - 1), axis=1)  # beyond b: never read
        replaced = before[:, :-1] + ops.where(a == b_j, 0, substitution)
        deleted, inserted = last[:, :-1] + 1, last + 1
        inner = ops.minimum(ops.minimum(replaced, deleted), inserted[:, 1:])
        D = ops.concatenate([inserted[:, :1], inner], axis=1)
        at_end = ops.take_along_axis(D, n_a[:, None], axis=1)[:, 0]
        return last, D, ops.where(n_a + n_b == d, at_end, distance)

    nowhere = ops.pad(ops.zeros_like(a) + far, ((0, 0), (0, 1)), constant_values=far)
    origin = ops.pad(ops.zeros_like(a) + far, ((0, 0), (1, 0)))
    start = (nowhere, origin, ops.zeros_like(n_a))
    return ops.fori_loop(1, length_a + length_b, next_diagonal, start)[2]


def common_subsequence(a: Tensor, n_a: Tensor, b: Tensor, n_b: Tensor) -> Tensor:
    """Return the length of the longest common subsequence.

    >>> int(common_subsequence([[1, 2, 3, 4]], [4], [[2, 9, 4, 1]], [4])[0])
    2
    """
    n_a, n_b = ops.convert_to_tensor(n_a, "int32"), ops.convert_to_tensor(n_b, "int32")
    return (n_a + n_b - edit_distance(a, n_a, b, n_b, substitution=2)) // 2


def ngram_matches(
    p: Tensor, n_p: Tensor, references: Tensor, n_references: Tensor, max_order: int
) -> Tensor:
    """Count the n-grams of `p` that occur in a reference, each at most as often as there.

    N-grams are compared, not hashed: `same` holds for every pair of places whether the n tokens
    from there on are equal, and follows from the same for `n - 1`. An n-gram of `p` is matched if
    fewer equal ones come before it in `p` than stand in the reference that has most of them.

    Args:
        p: ids `(batch, length)`, `n_p` `(batch,)` of which count.
        references: ids `(batch, references, length)`, of which `n_references` `(batch, references)`
            count.
        max_order: largest n.

    Returns:
        `(batch, max_order)` int32, for n from 1 on.

    >>> p, r = ops.convert_to_tensor([[1, 1, 2]]), ops.convert_to_tensor([[[1, 2, 3]]])
    >>> ops.convert_to_numpy(ngram_matches(p, [3], r, [[3]], 2)).tolist()
    [[2, 1]]
    """
    n_p = ops.convert_to_tensor(n_p, "int32")[:, None]
    n_r = ops.convert_to_tensor(n_references, "int32")[:, :, None]
    i, j = _places(p)[:, None], _places(references)
    same_p = further_p = p[:, :, None] == p[:, None, :]
    same_r = further_r = p[:, None, :, None] == references[:, :, None, :]
    matches = []
    for n in range(1, max_order + 1):
        if n > 1:
            further_p, further_r = _one_further(further_p), _one_further(further_r)
            same_p, same_r = ops.logical_and(same_p, further_p), ops.logical_and(same_r, further_r)
        there = ops.logical_and(same_r, (j + n <= n_r)[:, :, None, :])
        in_reference = ops.max(ops.sum(ops.cast(there, "int32"), axis=3), axis=1)
        earlier = ops.logical_and(same_p, _places(p) < i)
        matched = ops.sum(ops.cast(earlier, "int32"), axis=2) < in_reference
        matched = ops.logical_and(matched, i[:, 0] + n <= n_p)
        matches.append(ops.sum(ops.cast(matched, "int32"), axis=1))
    return ops.stack(matches, axis=1)


def _places(ids):
    return ops.arange(ops.shape(ids)[-1], dtype="int32")


def _one_further(same):
    """Shift `same` by one token in both sequences, False at the end."""
    same = same[..., 1:, 1:]
    return ops.pad(same, [(0, 0)] * (len(same.shape) - 2) + [(0, 1), (0, 1)])


def ngrams(length: Tensor, max_order: int) -> Tensor:
    """Count a sequence's n-grams, for n from 1 to `max_order`: `(..., max_order)` int32.

    >>> ops.convert_to_numpy(ngrams([3], 4)).tolist()
    [[3, 2, 1, 0]]
    """
    n = ops.arange(1, max_order + 1, dtype="int32")
    return ops.maximum(ops.convert_to_tensor(length, "int32")[..., None] - n + 1, 0)
