"""Broken on purpose: their doctests are not for pytest."""

collect_ignore = ["broken_optimizers.py", "broken_parts.py", "broken_samplers.py"]
