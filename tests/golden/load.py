"""Reads one set of golden values by name: `golden("tfa_triplet_semi_hard")["value"]`."""

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent


def golden(name: str) -> dict[str, np.ndarray]:
    """Gives every array stored in `tests/golden/<name>.npz`, each under its own key."""
    path = FOLDER / f"{name}.npz"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in FOLDER.glob("*.npz")))
        raise FileNotFoundError(
            f"golden: `name` must be one of {known}. Received: name={name!r}. "
            "Run the script that tests/golden/README.md names for it."
        )
    with np.load(path, allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}
