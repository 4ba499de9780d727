"""The default model of recipes/image_cnn.py in plain PyTorch: `image_cnn_torch.py EPOCHS`."""

import sys

import numpy as np
import torch
from clock import tell
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
x, y = load_digits(return_X_y=True)
x = np.rint(x.reshape(-1, 1, 8, 8) * (255 / 16)).astype("uint8")
x, _, y, _ = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
x, x_val, y, y_val = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
x, y, x_val, y_val = map(torch.from_numpy, (x, y, x_val, y_val))


def convolution(channels, filters, kernel_size=3):
    return nn.Sequential(
        nn.Conv2d(channels, filters, kernel_size, padding="same", bias=False),
        nn.BatchNorm2d(filters, eps=1e-3),
    )


class ResidualBlock(nn.Module):
    def __init__(self, filters):
        super().__init__()
        self.first, self.second = convolution(filters, filters), convolution(filters, filters)
        squeezed = filters // 16
        self.gate = nn.Sequential(
            nn.Linear(filters, squeezed), nn.ReLU(), nn.Linear(squeezed, filters), nn.Sigmoid()
        )

    def forward(self, x):
        y = self.second(F.relu(self.first(x)))
        y = y * self.gate(y.mean((2, 3)))[..., None, None]
        if self.training:
            y = y * (torch.rand(len(y), 1, 1, 1) >= 0.1) / 0.9
        return F.relu(x + y)


model = nn.Sequential(
    convolution(1, 32),
    nn.ReLU(),
    ResidualBlock(32),
    convolution(32, 64, 1),
    nn.MaxPool2d(2),
    ResidualBlock(64),
    nn.Flatten(),
    nn.Dropout(0.3),
    nn.Linear(64 * 16, 128, bias=False),
    nn.BatchNorm1d(128, eps=1e-3),
    nn.ReLU(),
    nn.Dropout(0.3),
    nn.Linear(128, 10),
)
optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.004)
rate = torch.optim.lr_scheduler.ExponentialLR(optimizer, (7 / 8) ** (1 / (len(x) // 32)))
best = 0.0
tell(step="begin")
for _ in range(int(sys.argv[1])):
    model.train()
    for chosen in torch.randperm(len(x)).split(32)[: len(x) // 32]:
        optimizer.zero_grad()
        F.cross_entropy(model(x[chosen] / 255), y[chosen]).backward()
        optimizer.step()
        rate.step()
    model.eval()
    with torch.no_grad():
        scores = model(x_val / 255)
    accuracy = (scores.argmax(1) == y_val).float().mean().item()
    if accuracy > best:
        best = accuracy
        torch.save(model.state_dict(), "best.pt")
    tell(val_accuracy=accuracy, val_loss=F.cross_entropy(scores, y_val).item())
