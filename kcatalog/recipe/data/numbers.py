"""Numbers as people and programs write them: decimal commas, thousands, currency signs, units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kcatalog.recipe.data.base import need

MISSING = frozenset(("", "na", "n/a", "#n/a", "nan", "nat", "null", "none", "-", "--", "?"))
SPACES = " \u00a0\u202f'’"  # between thousands: space, no-break spaces, apostrophes
CURRENCY = r"(?:[A-Z]{0,3}[$€£¥₹₽₩₺₴₪฿]|[A-Z]{3}(?=[\s\d]))"
WRITTEN = (
    rf"^(?P<sign>[-+−]?)\s*(?P<prefix>{CURRENCY})?\s*(?P<second>[-+−]?)"
    rf"(?P<digits>\d(?:[\d.,{SPACES}]*\d)?\.?|[.,]\d+)(?P<exponent>[eE][-+]?\d+)?"
    r"\s*(?P<suffix>[^\d\s.,;:+\-()][^\d,;]{0,11})?$"
)


@dataclass(frozen=True)
class Numbers:
    """A column read as numbers.

    values: float64; NaN where a cell is missing or bad.
    missing: which cells hold nothing.
    bad: which cells hold something else than a number like the others.
    unit: what stands before or behind each number.
    form: how the numbers are written, where that is not plain.
    doubt: a cell that can be read in two ways, and nothing decides.
    decimal: the decimal separator, "" where no cell shows it.
    """

    values: np.ndarray
    missing: np.ndarray
    bad: np.ndarray
    unit: str = ""
    form: str = ""
    doubt: str | None = None
    decimal: str = ""

    @property
    def mostly(self) -> bool:
        """Return whether more than half of the cells hold numbers."""
        return bool(np.isfinite(self.values).mean() > 0.5) or self.doubt is not None


def read_like(cells: list[str], decimal: str) -> Numbers:
    """Read cells as a column with this decimal separator was read, unless they show another one.

    Alone, 2.500 would be 2.5, also where the model was trained on 1.234,5.

    >>> float(read(["2.500"]).values[0]), float(read_like(["2.500"], ",").values[0])
    (2.5, 2500.0)
    """
    found = read(cells, decimal or None)
    return read(cells) if decimal and found.bad.any() else found


def read(cells: list[str], decimal: str | None = None) -> Numbers:
    """Read a column's cells.

    Args:
        cells: text without spaces around it.
        decimal: the decimal separator; None finds it.
    """
    pandas = need("pandas", "pandas")
    column = pandas.Series(cells, dtype=object)
    missing = column.str.lower().isin(MISSING).to_numpy()
    plain = pandas.to_numeric(column.where(~missing), errors="coerce").to_numpy("float64")
    good = np.isfinite(plain)
    unclear = None if decimal else _dotted(column[~missing])
    if unclear:
        return Numbers(np.full(len(plain), np.nan), missing, ~missing, doubt=unclear)
    if decimal != "," and (good | missing).all():
        point = "." if column[~missing].str.contains(".", regex=False).any() else ""
        return Numbers(plain, missing, ~(good | missing), decimal=point)
    parts = column.astype(str).str.extract(WRITTEN).fillna("")
    given = (parts["digits"] != "").to_numpy()
    if 2 * given.sum() <= (~missing).sum():
        return Numbers(np.where(good, plain, np.nan), missing, ~(good | missing))
    affixes = (parts["prefix"] + " " + parts["suffix"].str.strip()).str.strip()
    unit = affixes[given].mode()[0]
    given = given & (affixes == unit).to_numpy()
    given = given & ((parts["sign"] == "") | (parts["second"] == "")).to_numpy()
    values, form, doubt, decimal = _values(parts, given, decimal)
    return Numbers(values, missing, ~(np.isfinite(values) | missing), unit, form, doubt, decimal)


def _dotted(column) -> str | None:
    """Return a number like 1.234 where its dot may stand between thousands.

    That is so where numbers without a dot stand beside it, and all with one look like it.
    """
    dotted = column.str.contains(".", regex=False)
    if not dotted.any() or dotted.all() or column.str.contains(",", regex=False).any():
        return None
    alike = column[dotted].str.fullmatch(r"[-+]?[1-9]\d{0,2}\.\d{3}")
    return column[dotted].iloc[0] if alike.all() else None


def _values(parts, given: np.ndarray, decimal: str | None) -> tuple[Any, ...]:
    """Return numbers, how they are written, a cell in doubt, and the decimal separator."""
    pandas = need("pandas", "pandas")
    digits = parts["digits"].where(given, "")
    spaced = digits.str.contains(f"[{SPACES}]", regex=True)
    well = ~spaced | digits.str.fullmatch(rf"\d{{1,3}}([{SPACES}]\d{{3}})+([.,]\d+)?")
    bare = digits.str.replace(f"[{SPACES}]", "", regex=True)
    votes = {".": _votes(bare, ".", ","), ",": _votes(bare, ",", ".")}
    if decimal is None:
        unclear = bare.str.fullmatch(r"[1-9]\d{0,2},\d{3}")
        if not any(v.any() for v in votes.values()) and unclear.any():
            return np.full(len(bare), np.nan), "", digits[unclear].iloc[0], ""
        decimal = "," if votes[","].sum() > votes["."].sum() else "."
    thousands = "," if decimal == "." else "."
    d, t = f"[{decimal}]", f"[{thousands}]"
    well &= bare.str.fullmatch(rf"\d+({d}\d*)?|{d}\d+|\d{{1,3}}({t}\d{{3}})+({d}\d*)?")
    grouped = bool((well & (spaced | bare.str.contains(t))).any())
    number = bare.str.replace(thousands, "", regex=False).str.replace(decimal, ".", regex=False)
    signs = (parts["sign"] + parts["second"]).str.replace("−", "-")
    text = (signs + number + parts["exponent"]).where(well & given)
    forms = ["decimal comma"] if decimal == "," else []
    forms += ["thousands in groups"] if grouped else []
    values = pandas.to_numeric(text, errors="coerce").to_numpy("float64")
    shown = decimal if bare.str.contains("[.,]").any() else ""
    return values, ", ".join(forms), None, shown


def _votes(digits, decimal: str, thousands: str):
    """Return which cells can only be read with this decimal separator."""
    d, t = f"[{decimal}]", f"[{thousands}]"
    alone = rf"\d*{d}(\d{{0,2}}|\d{{4,}})|0*{d}\d+|\d{{4,}}{d}\d+"
    return digits.str.fullmatch(
        rf"{alone}|\d{{1,3}}({t}\d{{3}})+{d}\d*|\d{{1,3}}({t}\d{{3}}){{2,}}"
    )
