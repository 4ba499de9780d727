"""Broken on purpose: their doctests are not for pytest."""

from pathlib import Path

collect_ignore = [path.name for path in Path(__file__).parent.glob("broken_*.py")]
