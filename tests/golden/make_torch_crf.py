"""Golden values of pytorch-crf, with scores of start and end: `python make_torch_crf.py`."""

from importlib import metadata
from pathlib import Path

import numpy as np
import torch
import torchcrf

BATCH, STEPS, TAGS = 5, 6, 4

rng = np.random.default_rng(1)
lengths = np.array([6, 4, 1, 5, 2])
mask = np.arange(STEPS) < lengths[:, None]
arrays = {
    "potentials": rng.normal(size=(BATCH, STEPS, TAGS)).astype("float32"),
    "transitions": rng.normal(size=(TAGS, TAGS)).astype("float32"),
    "start": rng.normal(size=TAGS).astype("float32"),
    "end": rng.normal(size=TAGS).astype("float32"),
}
tags, cotangent = rng.integers(0, TAGS, (BATCH, STEPS)), rng.normal(size=BATCH).astype("float32")

crf = torchcrf.CRF(TAGS, batch_first=True).double()
with torch.no_grad():
    crf.transitions.copy_(torch.tensor(arrays["transitions"]))
    crf.start_transitions.copy_(torch.tensor(arrays["start"]))
    crf.end_transitions.copy_(torch.tensor(arrays["end"]))
u = torch.tensor(arrays["potentials"], dtype=torch.float64, requires_grad=True)
likelihood = crf(u, torch.tensor(tags), torch.tensor(mask), reduction="none")
(likelihood * torch.tensor(cotangent)).sum().backward()
decoded = np.zeros((BATCH, STEPS), "int32")
for row, found in zip(decoded, crf.decode(u, torch.tensor(mask)), strict=True):
    row[: len(found)] = found

np.savez(
    Path(__file__).with_name("torch_crf.npz"),
    peer=f"pytorch-crf {metadata.version('pytorch-crf')}, torch {torch.__version__}",
    **arrays,
    tags=tags,
    mask=mask,
    cotangent=cotangent,
    log_likelihood=likelihood.detach().numpy(),
    gradient_potentials=u.grad.numpy(),
    gradient_transitions=crf.transitions.grad.numpy(),
    gradient_start=crf.start_transitions.grad.numpy(),
    gradient_end=crf.end_transitions.grad.numpy(),
    decoded=decoded,
)
