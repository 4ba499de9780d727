import itertools

import pytest

from kcatalog.ops.spans import allowed_tags, span_f1, spans, to_bio


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("B-A I-A O B-A", {("A", 0, 2), ("A", 3, 4)}),
        ("I-A I-A B-A I-B", {("A", 0, 2), ("A", 2, 3), ("B", 3, 4)}),  # IOB1
        ("B-A I-A E-A S-A O", {("A", 0, 3), ("A", 3, 4)}),  # BIOES
        ("B-A E-A I-A", {("A", 0, 2), ("A", 2, 3)}),
        ("NOUN O NOUN NOUN", {("NOUN", 0, 1), ("NOUN", 2, 3), ("NOUN", 3, 4)}),
        ("O O", set()),
        ("", set()),
    ],
)
def test_spans(tags, expected):
    assert spans(tags.split()) == expected


@pytest.mark.parametrize(
    "scheme", [["O", "B-A", "I-A", "B-B", "I-B"], ["O", "B-A", "I-A", "E-A", "S-A"]]
)
def test_reference_allowed_tags_by_enumeration(scheme):
    """Allowed are the sequences that the scheme itself writes for some spans, and no others."""
    rules, n, bioes = allowed_tags(scheme), len(scheme), "S-A" in scheme

    def written(tags):
        found = to_bio(tags)
        if bioes:
            for kind, first, end in spans(tags):
                found[end - 1] = f"{'E' if end - first > 1 else 'S'}-{kind}"
        return found

    for numbers in itertools.product(range(n), repeat=4):
        tags = [scheme[k] for k in numbers]
        allowed = rules["allowed_starts"][numbers[0]] and rules["allowed_ends"][numbers[-1]]
        for i, j in itertools.pairwise(numbers):
            allowed = allowed and rules["allowed_transitions"][i][j]
        assert bool(allowed) == (written(tags) == tags), tags


def test_no_span_anywhere_is_perfect():
    assert span_f1([["O"]], [["O"]]) == 1.0
    assert span_f1([["O", "B-A"]], [["B-A", "O"]]) == 0.0
