"""The logarithm and the softmax, tempered: `log_t` is bounded below, `exp_t` has heavy tails.

    log_t(u) = (u^(1-t) - 1) / (1 - t)        exp_t(x) = (1 + (1-t) x)^(1/(1-t))

Both are computed from and to `log u`, which neither overflows nor vanishes.
"""

import functools

from keras import ops

from kcatalog.types import Tensor

# Newton's method below is at float64's end after 10 steps for up to millions of classes, whatever
# their logits; most cases need 5.
STEPS = 10


def tempered_log(log_u: Tensor, t: Tensor) -> Tensor:
    """`log_t(u)` of `u` given as its logarithm.

    >>> round(float(tempered_log(ops.log(ops.convert_to_tensor(4.0)), 0.5)), 4)
    2.0
    """
    return log_u if t == 1 else ops.expm1((1 - t) * log_u) / (1 - t)


def tempered_log_softmax(s: Tensor, t: Tensor, axis: int = -1) -> Tensor:
    """`log p` where `p = exp_t(s - λ)` and `λ` makes the `p` along `axis` sum to 1; `t` from 1 on.

    `(Σ exp_t(s - λ))^(1-t)` is concave in `λ` and rises with it (a power mean of numbers linear in
    `λ`), so Newton's method on it, begun at the largest `s`, climbs to 1 without ever passing it.
    The last step alone carries a gradient, which at the root is that of `λ` itself: the memory
    does not grow with the number of steps.

    >>> s = ops.convert_to_tensor([0.0, 1.0])
    >>> [round(float(p), 4) for p in ops.exp(tempered_log_softmax(s, 2.0))]
    [0.382, 0.618]
    """
    if t == 1:
        return ops.log_softmax(s, axis=axis)
    largest = ops.stop_gradient(ops.max(s, axis=axis, keepdims=True))
    a = s - largest  # adding a number to every logit changes nothing
    fixed = ops.stop_gradient(a)
    λ = ops.zeros_like(largest)
    λ, _ = ops.fori_loop(0, STEPS - 1, _step(t, axis), (λ, fixed))
    λ = _newton(a, ops.stop_gradient(λ), t, axis)
    return _log_exp(a - λ, t)


def _log_exp(x, t):
    """`log exp_t(x)`, for `x` up to 0."""
    return ops.log1p((1 - t) * x) / (1 - t)


def _newton(a, λ, t, axis):
    log_e = _log_exp(a - λ, t)
    log_S = ops.logsumexp(log_e, axis=axis, keepdims=True)
    escort = ops.sum(ops.exp(t * (log_e - log_S)), axis=axis, keepdims=True)
    return λ + tempered_log(log_S, t) / escort


@functools.cache
def _step(t, axis):
    """`_newton` in the form of a loop's body; always the same function, so JAX compiles it once."""
    return lambda _, state: (_newton(state[1], state[0], t, axis), state[1])
