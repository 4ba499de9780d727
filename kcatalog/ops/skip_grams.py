"""Pairs of words that stand near each other, from which word vectors are learned."""

from typing import Any

import numpy as np

from kcatalog import checks
from kcatalog.types import Tensor


def skip_grams(
    ids: Any,
    max_skips: int = 5,
    min_skips: int = 1,
    include_self: bool = False,
    counts: Any = None,
    subsampling: float | None = None,
    seed: int | None = None,
) -> Tensor:
    """Return each word with each of its neighbours: arrays of targets and of their contexts.

    What a skip-gram model (word2vec) learns from: it predicts the context from the target. Data
    are prepared in NumPy, before training. Mikolov et al. 2013, https://arxiv.org/abs/1310.4546.

    Args:
        ids: Words of one text as integers `(words,)`, or a list of such texts.
        max_skips: The farthest neighbour, an integer in [1, inf).
        min_skips: For each word the window is drawn from `min_skips` to `max_skips`, so that near
            words count more, an integer in [0, inf), `max_skips` at most.
        include_self: Whether a word is also its own context.
        counts: How often each id occurs in the whole corpus, `(vocabulary,)`; needed by
            `subsampling`.
        subsampling: The share `t` above which a word counts as frequent, a number in (0, 1], or
            None. A word of share `f` is kept with probability `√(t/f) + t/f`, as in word2vec's
            code. Words that are left out are no neighbours either: the others move together.
        seed: Seed of both draws, an integer in [0, inf), or None.

    Returns:
        `targets` and `contexts`, integers `(pairs,)`, in the order of the text.

    >>> targets, contexts = skip_grams([5, 6, 7], max_skips=1)
    >>> list(zip(targets.tolist(), contexts.tolist()))
    [(5, 6), (6, 5), (6, 7), (7, 6)]
    """
    owner = "skip_grams"
    checks.integer(owner, "max_skips", max_skips, "[1, inf)")
    checks.integer(owner, "min_skips", min_skips, f"[0, {max_skips}]")
    checks.number(owner, "subsampling", subsampling, "(0, 1]", optional=True)
    rng = np.random.default_rng(checks.integer(owner, "seed", seed, "[0, inf)", optional=True))
    nested = len(ids) > 0 and np.ndim(ids[0]) > 0
    texts = [np.asarray(text) for text in (ids if nested else [ids])]
    for text in texts:
        if text.ndim != 1 or (text.size and not np.issubdtype(text.dtype, np.integer)):
            rule = "integers (words,), or a list of such texts"
            raise checks.error(owner, "ids", rule, f"shape {text.shape}, {text.dtype}")
    if subsampling is not None:
        if counts is None:
            raise checks.error(owner, "counts", "given with `subsampling`", counts)
        share = np.asarray(counts) / np.sum(counts)
        ratio = subsampling / np.maximum(share, 1e-300)
        keep = np.sqrt(ratio) + ratio
        texts = [text[rng.random(len(text)) < keep[text]] for text in texts]

    offsets = np.array([o for o in range(-max_skips, max_skips + 1) if o or include_self])
    pairs = [np.zeros((2, 0), "int64")]
    for text in texts:
        place = np.arange(len(text))[:, None]
        window = rng.integers(min_skips, max_skips + 1, size=place.shape)
        near = (np.abs(offsets) <= window) & (place + offsets >= 0) & (place + offsets < len(text))
        target, o = np.nonzero(near)
        pairs.append(np.stack([text[target], text[target + offsets[o]]]))
    return tuple(np.concatenate(pairs, axis=1))
