"""Linear-chain conditional random fields: sums, best paths and marginals over all tag sequences.

The score of the tags `y₁ … y_n` of a sequence, whose steps are those that the mask leaves, is

    s(y) = start[y₁] + Σ_t u_t[y_t] + Σ_t A[y_t-1, y_t] + end[y_n],        p(y) = exp(s(y)) / Z

with `u` = `potentials` `(batch, steps, tags)` and `A` = `transitions` `(tags, tags)`, from row to
column, or `(batch, tags, tags)`; `start` and `end` are `(tags,)` or `(batch, tags)`, None is 0. A
mask, `(batch, steps)`, may leave out any steps: tags follow each other across the gap. A score of
-inf forbids a tag or a transition. `allowed`, bool `(batch, steps, tags)`, forbids tags of a step.
"""

from typing import Any, NamedTuple

from keras import ops

from kcatalog.ops.precision import at_least_float32
from kcatalog.types import Tensor

# A finite score of the impossible: differences of infinities would be NaN.
IMPOSSIBLE = -1e30


class _Chain(NamedTuple):
    """The scores of a batch, steps first."""

    u: Any  # (steps, batch, tags)
    A: Any  # (batch, to, from)
    start: Any  # (batch, tags)
    end: Any  # (batch, tags)
    real: Any  # (steps, batch, 1): 1 where the mask leaves a step, else 0
    first: Any  # (steps, batch, 1): 1 at the first such step


def crf_log_norm(
    potentials: Tensor,
    transitions: Tensor,
    mask: Tensor | None = None,
    start: Tensor | None = None,
    end: Tensor | None = None,
    allowed: Tensor | None = None,
) -> Tensor:
    """Return `log Z`, the log of the sum over all tag sequences, `(batch,)`.

    With `allowed` the sum is over the sequences of allowed tags. Its gradient is the marginals.

    >>> round(float(crf_log_norm(ops.zeros((1, 3, 2)), ops.zeros((2, 2)))[0]), 4)  # log 2³
    2.0794
    """
    chain = _chain(potentials, transitions, mask, start, end, allowed)
    return ops.custom_gradient(_log_norm)(*chain)


def crf_sequence_score(
    potentials: Tensor,
    tags: Any,
    transitions: Tensor,
    mask: Tensor | None = None,
    start: Tensor | None = None,
    end: Tensor | None = None,
) -> Tensor:
    """Return `s(y)` of integer `tags`, `(batch, steps)`; the result is `(batch,)`.

    >>> A = ops.convert_to_tensor([[0.0, 5.0], [7.0, 0.0]])
    >>> float(crf_sequence_score(ops.ones((1, 3, 2)), ops.convert_to_tensor([[0, 1, 1]]), A)[0])
    8.0
    """
    u, A, start, end, real, _ = _chain(potentials, transitions, mask, start, end)
    u, real, y = ops.swapaxes(u, 0, 1), ops.swapaxes(real, 0, 1)[..., 0], ops.cast(tags, "int32")
    score = ops.sum(real * _at(u, y[..., None])[..., 0], axis=1)

    t = ops.cumsum(ops.ones_like(y), axis=1)
    if mask is not None:  # real steps to the front
        y = _at(y, ops.argsort(ops.where(real > 0, t, t + ops.shape(y)[1]), axis=1))
    n = ops.sum(ops.cast(real, "int32"), axis=1, keepdims=True)
    before, after = y[:, :-1], y[:, 1:]
    A = ops.reshape(A, (-1, A.shape[-1] * A.shape[-1]))
    steps = _at(A, after * u.shape[-1] + before)
    score = score + ops.sum(ops.where(t[:, 1:] <= n, steps, 0.0), axis=1)
    last = _at(y, ops.maximum(n - 1, 0))
    ends = (_at(start, y[:, :1]) + _at(end, last))[:, 0]
    return score + ops.where(n[:, 0] > 0, ends, 0.0)


def crf_multitag_sequence_score(
    potentials: Tensor,
    tag_bitmap: Tensor,
    transitions: Tensor,
    mask: Tensor | None = None,
    start: Tensor | None = None,
    end: Tensor | None = None,
) -> Tensor:
    """Return the log of the summed exp-scores of all sequences that the bitmap allows, `(batch,)`.

    Less `crf_log_norm` it is the log-likelihood of tags known in part: of a step's possible tags,
    all where nothing is known.

    >>> both = ops.ones((1, 3, 2), dtype="bool")
    >>> score = crf_multitag_sequence_score(ops.zeros((1, 3, 2)), both, ops.zeros((2, 2)))
    >>> round(float(score[0]), 4)
    2.0794
    """
    return crf_log_norm(potentials, transitions, mask, start, end, allowed=tag_bitmap)


def crf_log_likelihood(
    potentials: Tensor,
    tags: Any,
    transitions: Tensor,
    mask: Tensor | None = None,
    start: Tensor | None = None,
    end: Tensor | None = None,
) -> Tensor:
    """Return `log p(y)` of integer `tags`, `(batch, steps)`; the result is `(batch,)`.

    >>> tags = ops.convert_to_tensor([[0, 1, 1]])
    >>> p = ops.exp(crf_log_likelihood(ops.zeros((1, 3, 2)), tags, ops.zeros((2, 2))))
    >>> round(float(p[0]), 4)
    0.125
    """
    score = crf_sequence_score(potentials, tags, transitions, mask, start, end)
    return score - crf_log_norm(potentials, transitions, mask, start, end)


def crf_marginals(
    potentials: Tensor,
    transitions: Tensor,
    mask: Tensor | None = None,
    start: Tensor | None = None,
    end: Tensor | None = None,
    allowed: Tensor | None = None,
) -> Tensor:
    """Return `p(y_t = k)`, the probability of each tag at each step, `(batch, steps, tags)`.

    Masked steps have 0.

    >>> u = ops.convert_to_tensor([[[0.0, 0.0], [0.0, 1.0986]]])  # log 3
    >>> stay = ops.convert_to_tensor([[0.0, -1e9], [-1e9, 0.0]])  # no change of tag
    >>> print(ops.convert_to_numpy(crf_marginals(u, stay))[0, 0].round(3))
    [0.25 0.75]
    """
    chain = _chain(potentials, transitions, mask, start, end, allowed)
    p = _smoothed(chain, _forward(chain, ops.logsumexp))
    return ops.swapaxes(p * chain.real, 0, 1)


def crf_decode(
    potentials: Tensor,
    transitions: Tensor,
    mask: Tensor | None = None,
    start: Tensor | None = None,
    end: Tensor | None = None,
    allowed: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the best tags by Viterbi's algorithm, int32 `(batch, steps)`, and their `s(y)`.

    Masked steps have tag 0. Of equally good sequences any may be returned. There are no
    gradients.

    >>> u = ops.convert_to_tensor([[[1.0, 0.0], [0.0, 3.0]]])
    >>> stay = ops.convert_to_tensor([[0.0, -9.0], [-9.0, 0.0]])
    >>> tags, score = crf_decode(u, stay)
    >>> ops.convert_to_numpy(tags).tolist(), float(score[0])
    ([[1, 1]], 3.0)
    """
    chain = _chain(potentials, transitions, mask, start, end, allowed)
    chain = _Chain(*(ops.stop_gradient(x) for x in chain))
    δ = _forward(chain, _max)
    best = δ[-1] + chain.end
    last = ops.cast(ops.argmax(best, axis=-1), "int32")
    none = ops.zeros_like(chain.A[:, :1], dtype="int32")

    def back(y, δ, linked):
        row = ops.take_along_axis(chain.A, none + y[:, None, None], axis=1)[:, 0]
        before = ops.cast(ops.argmax(δ + row, axis=-1), "int32")
        return ops.where(linked[:, 0] > 0, before, y)

    tags = _backward(back, last, δ, chain)
    tags = tags * ops.cast(chain.real[..., 0], "int32")
    return ops.swapaxes(tags, 0, 1), _max(best, axis=-1) * _any(chain)


def _chain(potentials, transitions, mask, start, end, allowed=None):
    u = at_least_float32(potentials)
    if allowed is not None:
        u = ops.where(ops.cast(allowed, "bool"), u, IMPOSSIBLE)
    zeros = ops.zeros_like(u[:, 0])
    real = ops.ones_like(u[..., :1])
    first = ops.cumsum(real, axis=1) == 1
    if mask is not None:
        real = ops.cast(ops.cast(mask, "bool"), u.dtype)[..., None]
        first = ops.logical_and(ops.cumsum(real, axis=1) == 1, real > 0)
    A = ops.swapaxes(ops.cast(transitions, u.dtype), -1, -2)
    u, real, first = (ops.swapaxes(x, 0, 1) for x in (u, real, ops.cast(first, u.dtype)))
    start, end = (zeros if x is None else zeros + ops.cast(x, u.dtype) for x in (start, end))
    scores = (u, zeros[:, None] + A, start, end)
    return _Chain(*(ops.maximum(x, IMPOSSIBLE) for x in scores), real, first)


def _at(x, indices):
    return ops.take_along_axis(x, indices, axis=-1)


def _max(x, axis, initial=IMPOSSIBLE):
    return ops.max(x, axis=axis, initial=initial)  # without one TensorFlow refuses empty batches


def _any(chain):
    return _max(chain.real[..., 0], axis=0, initial=0.0)


def _linked(chain):
    """Return 1 where a step follows another one."""
    return chain.real - chain.first


def _scan(f, state, *xs, reverse=False):
    """Return the states of all steps.

    The steps are scanned as one tensor: with several, TensorFlow has to know how many steps there
    are (Keras 3.15).
    """
    widths = [x.shape[-1] for x in xs]
    splits = [sum(widths[: i + 1]) for i in range(len(widths) - 1)]

    def step(state, x):
        state = f(state, *ops.split(x, splits, axis=-1))
        return state, state

    return ops.scan(step, state, ops.concatenate(xs, axis=-1), reverse=reverse)[1]


def _backward(back, last, α, chain):
    """Return the states of all steps from the last one on, `last`, by `back(state, α_t-1, linked)`.

    The state before the first step is left out: a scan of no steps at all fails on PyTorch.
    """
    before = ops.concatenate([α[:1], α[:-1]])
    states = _scan(back, last, before, _linked(chain), reverse=True)
    return ops.concatenate([states[1:], last[None]])


def _forward(chain, total):
    """`α_t[j] = u_t[j] + total over i of (α_t-1[i] + A[i, j])`, `(steps, batch, tags)`.

    It is the log-sum or the maximum of the scores of all beginnings that end in tag `j`.
    """

    def step(α, u, real, first):
        come = total(α[:, None, :] + chain.A, axis=-1)
        return ops.where(real > 0, u + ops.where(first > 0, chain.start, come), α)

    return _scan(step, ops.zeros_like(chain.start), chain.u, chain.real, chain.first)


def _smoothed(chain, α):
    """`p_t-1[i] = Σ_j p_t[j] p(i | j)`, `p(i | j) = softmax over i of (α_t-1[i] + A[i, j])`."""
    last = ops.softmax(α[-1] + chain.end, axis=-1)

    def back(p, α, linked):
        before = ops.softmax(α[:, None, :] + chain.A, axis=-1)
        return ops.where(linked > 0, ops.sum(p[:, :, None] * before, axis=1), p)

    return _backward(back, last, α, chain)


def _log_norm(*chain):
    """Return `log Z` and its gradient: the marginals, rather than a way back through the loop."""
    chain = _Chain(*chain)
    α = _forward(chain, ops.logsumexp)
    some = _any(chain)

    def gradient(*args, upstream=None):
        g = (args[0] if upstream is None else upstream) * some
        p = _smoothed(chain, α)
        pairs = _pairs(chain, α, p)
        first = ops.sum(p * chain.first, axis=0)
        scores = (p * chain.real * g[:, None], pairs * g[:, None, None])
        ends = (first * g[:, None], p[-1] * g[:, None])
        return (*scores, *ends, ops.zeros_like(chain.real), ops.zeros_like(chain.first))

    return ops.logsumexp(α[-1] + chain.end, axis=-1) * some, gradient


def _pairs(chain, α, p):
    """Return the expected transitions `Σ_t p(y_t-1 = i, y_t = j)`, `(batch, to, from)`."""
    linked = (p * _linked(chain))[1:]

    def to(each):  # one j at a time: all at once take too much memory
        A, p = each
        return ops.sum(p[..., None] * ops.softmax(α[:-1] + A, axis=-1), axis=0)

    pairs = ops.map(to, (ops.swapaxes(chain.A, 0, 1), ops.moveaxis(linked, -1, 0)))
    return ops.swapaxes(pairs, 0, 1)
