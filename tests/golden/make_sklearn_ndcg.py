"""Writes the golden values of scikit-learn's ndcg_score; README.md names the environment."""

from pathlib import Path

import numpy as np
import sklearn
from sklearn.metrics import ndcg_score

FOLDER = Path(__file__).parent


def ndcg():
    """Graded lists with ties; and a set searched in itself, each sample a list of all others."""
    rng = np.random.default_rng(53)
    relevance = rng.integers(0, 5, (10, 8))
    scores = rng.integers(0, 6, (10, 8)).astype("float32")
    arrays = {f"graded_{k}": ndcg_score(relevance, scores, k=k) for k in (None, 3)}

    labels = np.repeat(np.arange(5), [9, 6, 4, 3, 2])
    x = (rng.normal(size=(5, 4))[labels] + rng.normal(size=(24, 4))).astype("float32")
    D = np.linalg.norm(x[:, None].astype("float64") - x[None].astype("float64"), axis=-1)
    others = ~np.eye(24, dtype=bool)
    same = (labels[:, None] == labels[None])[others].reshape(24, 23)
    near = -D[others].reshape(24, 23)
    arrays |= {f"binary_{k}": ndcg_score(same, near, k=k) for k in (3, 10)}
    np.savez_compressed(
        FOLDER / "sklearn_ndcg.npz",
        peer=np.array(f"scikit-learn {sklearn.__version__}"),
        relevance=relevance.astype("int32"),
        scores=scores,
        labels=labels.astype("int32"),
        x=x,
        **arrays,
    )


if __name__ == "__main__":
    ndcg()
