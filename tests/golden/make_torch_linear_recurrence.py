"""Recurrent layers with linear recurrences: plain PyTorch loops from the papers, and autograd.

No peer that still installs has these layers. Each loop takes one step after the other; complex
numbers are PyTorch's own. Stored under `<layer>_...`: `x`, the weights in the order of our layers,
`y` for all steps, a random `cotangent`, and the gradients of `sum(y cotangent)`.
"""

from pathlib import Path

import numpy as np
import torch

BATCH, STEPS, FEATURES, UNITS, STATES = 2, 6, 3, 4, 5
σ = torch.sigmoid


def min_gru(x, W, b):
    """Feng et al., section 3.1; the candidate through tanh."""
    h, out = torch.zeros(BATCH, UNITS), []
    for t in range(STEPS):
        z, candidate = (x[:, t] @ W + b).chunk(2, -1)
        h = (1 - σ(z)) * h + σ(z) * torch.tanh(candidate)
        out.append(h)
    return out


def min_lstm(x, W, b):
    """Feng et al., section 3.2; the candidate through tanh."""
    h, out = torch.zeros(BATCH, UNITS), []
    for t in range(STEPS):
        f, i, candidate = (x[:, t] @ W + b).chunk(3, -1)
        share = σ(f) + σ(i)
        h = σ(f) / share * h + σ(i) / share * torch.tanh(candidate)
        out.append(h)
    return out


def sru(x, W, b, highway):
    """Lei et al., equations 1 to 4 without the state in the gates; highway bias -1, rescaled."""
    c, out, α = torch.zeros(BATCH, UNITS), [], (1 + 2 * np.exp(-1)) ** 0.5
    for t in range(STEPS):
        new, f, r = (x[:, t] @ W).chunk(3, -1)
        f, r = σ(f + b[:UNITS]), σ(r + b[UNITS:])
        c = f * c + (1 - f) * new
        out.append(r * c + (1 - r) * α * (x[:, t] @ highway))
    return out


def qrnn(x, W, b):
    """Bradbury et al., equations 1 to 3 and 5: a window of 3, ifo-pooling."""
    c, out = torch.zeros(BATCH, UNITS), []
    padded = torch.cat([torch.zeros(BATCH, 2, FEATURES), x], 1)
    kernels = W.reshape(3, FEATURES, 4 * UNITS)  # of x[t], x[t-1], x[t-2]
    for t in range(STEPS):
        sums = sum(padded[:, t + 2 - j] @ kernels[j] for j in range(3)) + b
        z, f, o, i = sums.chunk(4, -1)
        c = σ(f) * c + σ(i) * torch.tanh(z)
        out.append(σ(o) * c)
    return out


def lru(x, B, C, D, b, ν, θ, log_γ):
    """Orvieto et al., equation 1 with the parameters of sections 3.3 and 3.4."""
    λ = torch.exp(torch.complex(-torch.exp(ν), torch.exp(θ)))
    B = torch.complex(B[:, :STATES], B[:, STATES:])
    C = torch.complex(C[:STATES], -C[STATES:])  # we keep the negative imaginary part
    h, out = torch.zeros(BATCH, STATES, dtype=torch.complex128), []
    for t in range(STEPS):
        h = λ * h + torch.exp(log_γ) * (x[:, t].to(B.dtype) @ B)
        out.append((h @ C).real + x[:, t] @ D + b)
    return out


SHAPES = {
    min_gru: [(FEATURES, 2 * UNITS), (2 * UNITS,)],
    min_lstm: [(FEATURES, 3 * UNITS), (3 * UNITS,)],
    sru: [(FEATURES, 3 * UNITS), (2 * UNITS,), (FEATURES, UNITS)],
    qrnn: [(3 * FEATURES, 4 * UNITS), (4 * UNITS,)],
    lru: [
        (FEATURES, 2 * STATES),
        (2 * STATES, UNITS),
        (FEATURES, UNITS),
        (UNITS,),
        (STATES,),
        (STATES,),
        (STATES,),
    ],
}


def main():
    torch.set_default_dtype(torch.float64)
    rng, stored = np.random.default_rng(12), {}
    for layer, shapes in SHAPES.items():
        draw = lambda *shape: torch.tensor(rng.normal(size=shape), requires_grad=True)  # noqa: E731
        x, weights = draw(BATCH, STEPS, FEATURES), [draw(*s) for s in shapes]
        y = torch.stack(layer(x, *weights), 1)
        cotangent = torch.tensor(rng.normal(size=y.shape))
        gradients = torch.autograd.grad((y * cotangent).sum(), [x, *weights])
        arrays = {"x": x, "y": y, "cotangent": cotangent}
        arrays |= {f"weight_{i}": w for i, w in enumerate(weights)}
        arrays |= {f"gradient_{i}": g for i, g in enumerate(gradients)}
        for name, value in arrays.items():
            stored[f"{layer.__name__}_{name}"] = value.detach().numpy().astype("float32")
    path = Path(__file__).parent / "torch_linear_recurrence.npz"
    np.savez_compressed(path, **stored, peer=np.array(f"torch {torch.__version__.split('+')[0]}"))


if __name__ == "__main__":
    main()
