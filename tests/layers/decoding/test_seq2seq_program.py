"""The programs of docs/coming_from.md with a decoder: the new one computes what the old one did.

`tests/golden/make_tfa_seq2seq.py` ran the old one.
"""

import runpy
from pathlib import Path

import numpy as np

from tests.golden.load import golden

PROGRAM = Path(__file__).parents[3] / "docs" / "examples" / "seq2seq_after.py"
END = 2


def start(program, peer):
    """Give the layers the weights that the old program began with."""
    cell = program["cell"]
    places = {
        "embedding": program["embedding"].weights,
        "encoder": program["encoder"].weights,
        "memory": program["attention"].weights,
        "cell": cell.cell.weights,
        "attention": [w for w in cell.weights if w.name == "attention"],
        "output": program["output_layer"].weights,
    }
    for name, weights in places.items():
        stored = [value for key, value in peer.items() if key.startswith(f"{name}_")]
        for w, value in zip(weights, stored, strict=True):
            w.assign(value)


def sentences(ids):
    """Return the tokens before the first end."""
    rows = np.asarray(ids).tolist()
    return [row[: row.index(END)] if END in row else row for row in rows]


def test_the_same_losses_and_texts():
    """Teacher forcing, greedy decoding and beam search, with attention and padding."""
    peer = golden("tfa_seq2seq")
    program = runpy.run_path(str(PROGRAM))
    start(program, peer)
    source, target = peer["source"], peer["target"]
    losses = program["train"](source, target, int(peer["epochs"]))
    np.testing.assert_allclose(losses, peer["losses"], rtol=1e-3)
    assert losses[-1] < losses[0] / 1.5
    steps = int(peer["steps"])
    translated = program["translate"](source, steps)
    assert sentences(translated) == sentences(peer["translated"])
    found = program["search"](source, steps, int(peer["beams"]))
    assert sentences(found) == sentences(peer["found"])
