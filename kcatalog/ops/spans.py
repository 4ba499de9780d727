"""Spans of tags: `B-PER I-PER` is one span, of kind PER, whatever scheme its tags follow.

In BIO a span begins with B. In IOB1 it begins with I, or with B right after a span of its kind. In
BIOES it ends with E, and S is a span of one.
"""

from typing import Any


def spans(tags: Any) -> set[tuple[str, int, int]]:
    """Return the spans in a sequence of tags as a set of `(kind, first, behind the last)`.

    Tags without a prefix are spans of one, but for `O`. What follows no scheme is read as conlleval
    does: a span begins where its kind does.

    >>> sorted(spans(["B-PER", "I-PER", "O", "I-LOC", "B-LOC", "S-ORG"]))
    [('LOC', 3, 4), ('LOC', 4, 5), ('ORG', 5, 6), ('PER', 0, 2)]
    """
    found, begun, before = set(), None, ("E", "")
    for t, tag in enumerate([*tags, "O"]):
        prefix, kind = _parts(tag)
        follows = kind == before[1] and prefix in "IE" and before[0] in "BI"
        if begun is not None and not follows:
            found.add((before[1], begun, t))
            begun = None
        if begun is None and kind:
            begun = t
        before = prefix, kind
    return found


def span_f1(true: Any, predicted: Any) -> float:
    """Return F1 of spans: right ones are those of the same kind and the same tokens.

    >>> span_f1([["B-A", "I-A", "B-A"]], [["B-A", "I-A", "O"]])
    0.6666666666666666
    """
    pairs = [(spans(a), spans(b)) for a, b in zip(true, predicted, strict=True)]
    right, total = sum(len(a & b) for a, b in pairs), sum(len(a) + len(b) for a, b in pairs)
    return 2 * right / total if total else 1.0


def allowed_tags(tags: Any) -> dict[str, Any]:
    """Return what may follow what, begin and end, as `kcatalog.layers.CRF` takes it.

    The scheme is BIOES if there are tags with S or E, else BIO if there are tags with B, else all
    is allowed.

    Args:
        tags: names of tags, such as `["O", "B-PER", "I-PER"]`, in the order of their numbers.

    >>> allowed_tags(["O", "B-A", "I-A"])["allowed_transitions"]
    [[1, 1, 0], [1, 1, 1], [1, 1, 1]]
    >>> allowed_tags(["O", "B-A", "I-A"])["allowed_starts"]
    [1, 1, 0]
    """
    parts = [_parts(tag) for tag in tags]
    prefixes = {prefix for prefix, kind in parts if kind}
    begins, closed = "B" in prefixes, bool(prefixes & set("ES"))
    inside = [prefix in "IE" and bool(kind) for prefix, kind in parts]
    unended = [prefix in "BI" and bool(kind) for prefix, kind in parts]

    def follows(i, j):
        if inside[j] and (begins or closed):
            return parts[i][1] == parts[j][1] and unended[i]
        return not (closed and unended[i])

    n = range(len(tags))
    return {
        "allowed_transitions": [[int(follows(i, j)) for j in n] for i in n],
        "allowed_starts": [int(not (inside[j] and (begins or closed))) for j in n],
        "allowed_ends": [int(not (closed and unended[i])) for i in n],
    }


def to_bio(tags: Any) -> list[str]:
    """Return tags of any scheme as BIO.

    >>> to_bio(["I-A", "I-A", "B-A", "O", "S-B"])
    ['B-A', 'I-A', 'B-A', 'O', 'B-B']
    """
    found = ["O"] * len(tags)
    for kind, first, end in spans(tags):
        found[first:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - first - 1)]
    return found


def _parts(tag):
    """Return prefix and kind of a tag: `O` has no kind, and one without prefix is a span of one."""
    prefix, dash, kind = tag.partition("-")
    if tag == "O" or not tag:
        return "O", ""
    return (prefix, kind) if dash and prefix in ("B", "I", "E", "S") else ("S", tag)
