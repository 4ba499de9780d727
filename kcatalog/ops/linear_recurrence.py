"""The linear recurrence `h[t] = a[t] h[t-1] + b[t]`, by which fast recurrent layers remember.

Reads `a` and `b` once and writes `h` once. The gradient is the same recurrence run from the other
end, so training needs no more than `a` and `h`: with `g[t] = dh[t] + a[t+1] g[t+1]`, the gradient
of `b[t]` is `g[t]`, that of `a[t]` is `g[t] h[t-1]`. Nothing is divided by and no logarithm is
taken: any `a` from 0 to 1 and any number of steps is safe.
"""

from typing import Any

from keras import ops

from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.scan import scan, wants_few_operations, with_gradient
from kcatalog.types import Tensor

BLOCK = 16  # steps in turn on an accelerator
LEVELS = 3  # blocks of blocks: 48 steps in turn for up to 4096


def linear_recurrence(
    a: Tensor, b: Tensor, initial: Tensor | None = None, reverse: bool = False
) -> Any:
    """Return every `h[t] = a[t] h[t-1] + b[t]`, with `h[-1]` = `initial`, by default 0.

    Args:
        a: Factors `(batch, steps, features)`, or a pair of these: real and imaginary parts.
        b: What is added, as `a`.
        initial: `(batch, features)`, or a pair of these.
        reverse: Whether `h[t] = a[t] h[t+1] + b[t]` from the last step to the first.

    A CPU takes the steps in turn, an accelerator `BLOCK` after `BLOCK` at the same time. Half
    precision is computed in float32.

    >>> h = linear_recurrence(ops.full((1, 4, 1), 0.5), ops.ones((1, 4, 1)))
    >>> [float(v) for v in h[0, :, 0]]
    [1.0, 1.5, 1.75, 1.875]
    """
    is_pair = isinstance(b, tuple | list)
    given = (b[0] if is_pair else b).dtype
    a, b = (tuple(map(at_least_float32, x if is_pair else (x,))) for x in (a, b))
    if initial is None:
        initial = tuple(ops.zeros_like(x[:, 0]) for x in b)
    else:
        initial = initial if is_pair else (initial,)
        initial = tuple(ops.cast(h, x.dtype) for h, x in zip(initial, b, strict=True))
    h = tuple(ops.cast(x, given) for x in _recurrence(a, b, initial, reverse))
    return h if is_pair else h[0]


def _recurrence(a, b, initial, reverse):
    n = len(b)

    def forward(*xs):
        a, b, initial = xs[:n], xs[n : 2 * n], xs[2 * n :]
        take_steps = _in_blocks if wants_few_operations(b[0]) else _in_turn
        return take_steps(a, b, initial, reverse)

    def backward(xs, h, dh):
        a, initial = tuple(map(_conjugate, (xs[:n], xs[2 * n :])))
        zeros = tuple(ops.zeros_like(x) for x in initial)
        g = _recurrence(_shifted(a, zeros, not reverse), dh, zeros, not reverse)
        da = _times(g, _shifted(_conjugate(h), initial, reverse))
        first = -1 if reverse else 0
        dinitial = _times(tuple(x[:, first] for x in a), tuple(x[:, first] for x in g))
        return (*da, *g, *dinitial)

    return with_gradient(forward, backward)(*a, *b, *initial)


def _in_turn(a, b, initial, reverse):
    def step(h, ab):
        h = _plus(_times(ab[: len(h)], h), ab[len(h) :])
        return h, h

    return scan(step, initial, (*a, *b), reverse)[1]


def _in_blocks(a, b, initial, reverse=False, levels=LEVELS):
    """Take the steps of all blocks at once, from 0, then add what the blocks before left over."""
    if reverse:
        a, b = (tuple(ops.flip(x, axis=1) for x in xs) for xs in (a, b))
        return tuple(ops.flip(h, axis=1) for h in _in_blocks(a, b, initial))
    steps = b[0].shape[1]
    if levels == 0 or (steps is not None and steps <= BLOCK):
        return _in_turn(a, b, initial, reverse)
    batch, steps, features = ops.shape(b[0])
    blocks = -(-steps // BLOCK)

    def split(x):
        padding = ops.zeros((batch, blocks * BLOCK - steps, features), x.dtype)
        return ops.reshape(ops.concatenate([x, padding], 1), (batch * blocks, BLOCK, features))

    def step(carry, ab):
        A, h = carry[: len(carry) // 2], carry[len(carry) // 2 :]
        a, b = ab[: len(h)], ab[len(h) :]
        carry = (*_times(a, A), *_plus(_times(a, h), b))
        return carry, carry

    a, b = tuple(map(split, a)), tuple(map(split, b))
    zeros = tuple(ops.zeros_like(x[:, 0]) for x in b)
    ones = (ops.ones_like(zeros[0]), *zeros[1:])
    _, products = scan(step, (*ones, *zeros), (*a, *b))
    products = tuple(ops.reshape(x, (batch, blocks, BLOCK, features)) for x in products)
    A, h = products[: len(a)], products[len(a) :]
    ends = tuple(tuple(x[:, :, -1] for x in xs) for xs in (A, h))
    before = _shifted(_in_blocks(*ends, initial, levels=levels - 1), initial)
    h = _plus(h, _times(A, tuple(ops.expand_dims(x, 2) for x in before)))
    return tuple(ops.reshape(x, (batch, blocks * BLOCK, features))[:, :steps] for x in h)


def _shifted(xs, first, reverse=False):
    """Return `x[t-1]` for each `t`, with `first` before the first; with `reverse`, `x[t+1]`."""
    if reverse:
        return tuple(
            ops.concatenate([x[:, 1:], f[:, None]], 1) for x, f in zip(xs, first, strict=True)
        )
    return tuple(
        ops.concatenate([f[:, None], x[:, :-1]], 1) for x, f in zip(xs, first, strict=True)
    )


# Numbers are tuples of tensors: of one, or of real and imaginary part.


def _times(x, y):
    if len(x) == 1:
        return (x[0] * y[0],)
    return x[0] * y[0] - x[1] * y[1], x[0] * y[1] + x[1] * y[0]


def _plus(x, y):
    return tuple(a + b for a, b in zip(x, y, strict=True))


def _conjugate(x):
    return (x[0], *(-imaginary for imaginary in x[1:]))
