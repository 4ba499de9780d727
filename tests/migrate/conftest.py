"""Fixtures of the migration's tests; the corpus is data, not tests."""

collect_ignore = ["corpus"]
