"""Writes values of PyTorch's and optax's losses to `migration_losses.npz`; README.md has more."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import optax
import torch

FOLDER = Path(__file__).parent
PEER = f"torch {torch.__version__}, optax {optax.__version__}"
random = np.random.default_rng(5)
REAL = random.normal(size=(6, 4))
TARGET = random.normal(size=(6, 4))
LABELS = random.integers(0, 4, 6)
BITS = random.integers(0, 2, (6, 4)).astype("float64")
CLASSES = np.exp(TARGET) / np.exp(TARGET).sum(-1, keepdims=True)
LOG_CLASSES = np.log(np.exp(REAL) / np.exp(REAL).sum(-1, keepdims=True))
PROBABILITIES = 1 / (1 + np.exp(-REAL))
COUNTS = random.poisson(2.0, (6, 4)).astype("float64")
UTTERANCES = random.normal(size=(3, 7, 5))
WORDS = np.array([[1, 2, 2], [3, 1, 0], [4, 0, 0]])
SIGNS = 2 * BITS - 1

# name -> arguments, what is predicted, what is right
TORCH = {
    "L1Loss": ("", REAL, TARGET),
    "MSELoss": ("", REAL, TARGET),
    "HuberLoss": ("delta=0.5", REAL, TARGET),
    "SmoothL1Loss": ("", REAL, TARGET),
    "NLLLoss": ("", LOG_CLASSES, LABELS),
    "PoissonNLLLoss": ("log_input=False", np.exp(REAL), COUNTS),
    "KLDivLoss": ("reduction='batchmean'", LOG_CLASSES, CLASSES),
    "BCELoss": ("", PROBABILITIES, BITS),
    "BCEWithLogitsLoss": ("", REAL, BITS),
    "SoftMarginLoss": ("", REAL, SIGNS),
    "CrossEntropyLoss": ("ignore_index=2", REAL, LABELS),
    "MultiLabelSoftMarginLoss": ("", REAL, BITS),
}
OPTAX = {
    "squared_error": ((REAL, TARGET), {}),
    "l2_loss": ((REAL, TARGET), {}),
    "huber_loss": ((REAL, TARGET), {"delta": 0.5}),
    "log_cosh": ((REAL, TARGET), {}),
    "cosine_similarity": ((REAL, TARGET), {}),
    "cosine_distance": ((REAL, TARGET), {}),
    "sigmoid_binary_cross_entropy": ((REAL, BITS), {}),
    "sigmoid_focal_loss": ((REAL, BITS), {"alpha": 0.3, "gamma": 1.5}),
    "softmax_cross_entropy": ((REAL, CLASSES), {}),
    "safe_softmax_cross_entropy": ((REAL, CLASSES), {}),
    "softmax_cross_entropy_with_integer_labels": ((REAL, LABELS), {}),
    "hinge_loss": ((REAL, SIGNS), {}),
    "kl_divergence": ((LOG_CLASSES, CLASSES), {}),
    "kl_divergence_with_log_targets": ((LOG_CLASSES, np.log(CLASSES)), {}),
    "sparsemax_loss": ((REAL[:, 0], LABELS % 2), {}),
    "binary_dice_loss": ((REAL[None, :, :, None], BITS[None, :, :, None]), {}),
}


def main():
    values = {
        "real": REAL,
        "target": TARGET,
        "labels": LABELS,
        "bits": BITS,
        "classes": CLASSES,
        "log_classes": LOG_CLASSES,
        "probabilities": PROBABILITIES,
        "counts": COUNTS,
        "utterances": UTTERANCES,
        "words": WORDS,
    }
    for name, (text, predicted, right) in TORCH.items():
        loss = eval(f"torch.nn.{name}({text})")  # noqa: S307 - arguments from above
        values[f"nn.{name}({text})"] = loss(torch.tensor(predicted), torch.tensor(right)).numpy()
    lengths = torch.tensor((WORDS > 0).sum(-1))
    ctc = torch.nn.CTCLoss(reduction="none")
    scores = torch.tensor(UTTERANCES).log_softmax(-1).transpose(0, 1)
    values["nn.CTCLoss(reduction='none')"] = ctc(
        scores, torch.tensor(WORDS), torch.full((3,), 7), lengths
    ).numpy()
    for name, (args, kwargs) in OPTAX.items():
        args = [jnp.asarray(a) for a in args]
        values[f"losses.{name}"] = np.mean(getattr(optax.losses, name)(*args, **kwargs))
    padding = np.zeros((3, 7)), (WORDS == 0).astype(float)
    values["losses.ctc_loss"] = np.mean(
        optax.losses.ctc_loss(UTTERANCES, padding[0], WORDS, padding[1])
    )
    np.savez_compressed(FOLDER / "migration_losses.npz", peer=np.array(PEER), **values)


if __name__ == "__main__":
    main()
