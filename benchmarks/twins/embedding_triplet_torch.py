"""The default model of recipes/embedding_triplet.py in plain PyTorch.

Usage: `embedding_triplet_torch.py EPOCHS`."""

import math
import sys

import numpy as np
import torch
from clock import tell
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
rng = np.random.default_rng(0)
x, y = load_digits(return_X_y=True)
x = np.rint(x.reshape(-1, 1, 8, 8) * (255 / 16)).astype("uint8")
x, _, y, _ = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
x, x_val, y, y_val = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
x, x_val, labels = map(torch.from_numpy, (x, x_val, y))
members = [np.flatnonzero(y == digit) for digit in range(10)]


def convolution(channels, filters):
    return nn.Sequential(
        nn.Conv2d(channels, filters, 3, padding="same", bias=False),
        nn.BatchNorm2d(filters, eps=1e-3),
        nn.ReLU(),
    )


network = nn.Sequential(
    convolution(1, 32),
    convolution(32, 32),
    nn.MaxPool2d(2),
    convolution(32, 64),
    convolution(64, 64),
    nn.Flatten(),
    nn.Dropout(0.2),
    nn.Linear(64 * 16, 32),
)


def embed(x):
    return F.normalize(network(x))


def augmented(x):
    """Each image shifted by up to a tenth and turned by up to 0.03 of a circle."""
    angle = (torch.rand(len(x)) * 2 - 1) * 0.03 * 2 * math.pi
    shift = (torch.rand(len(x), 2) * 2 - 1) * 0.2
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(-1, 2, 2)
    grid = F.affine_grid(torch.cat([turn, shift[..., None]], 2), x.shape, align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def semi_hard(embeddings, labels, margin=0.4):
    """For each positive pair the nearest negative that is further, else the furthest one."""
    distances = torch.cdist(embeddings, embeddings)
    same = labels[:, None] == labels
    negatives = distances.masked_fill(same, torch.inf)[:, None]
    further = negatives.masked_fill(negatives <= distances[..., None], torch.inf).amin(2)
    furthest = distances.masked_fill(same, -torch.inf).amax(1, keepdim=True)
    nearest = torch.where(further.isfinite(), further, furthest)
    positive = same & ~torch.eye(len(labels), dtype=torch.bool)
    return F.relu(distances - nearest + margin)[positive].mean()


optimizer = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=0.004)
rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 60 * 30)
best = 0.0
tell(step="begin")
for _ in range(int(sys.argv[1])):
    network.train()
    for _ in range(30):
        chosen = np.concatenate([rng.choice(m, 4, replace=False) for m in members])
        optimizer.zero_grad()
        semi_hard(embed(augmented(x[chosen] / 255)), labels[chosen]).backward()
        for weight in network.parameters():
            nn.utils.clip_grad_norm_(weight, 1.0)
        optimizer.step()
        rate.step()
    network.eval()
    with torch.no_grad():
        known, found = embed(x / 255), embed(x_val / 255)
    score = KNeighborsClassifier(1).fit(known, y).score(found, y_val)
    if score > best:
        best = score
        torch.save(network.state_dict(), "best.pt")
    tell(val_recall_at_1=score)
