"""The default model of recipes/text_gru.py in plain PyTorch: `text_gru_torch.py EPOCHS`."""

import sys
from pydoc_data.topics import topics

import numpy as np
import torch
from clock import tell
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
text = "".join(topics[name] for name in sorted(topics))
alphabet = sorted(set(text))
codes = torch.from_numpy(np.searchsorted(alphabet, list(text)))


def windows(codes, length):
    count = -(-(len(codes) - 1) // length)
    length = (len(codes) - 1) // count
    return codes[: count * length].view(count, -1), codes[1 : count * length + 1].view(count, -1)


x, y = windows(codes[: round(0.85 * len(codes))], 128)
x_val, y_val = windows(codes[round(0.85 * len(codes)) : round(0.9 * len(codes))], 1024)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(len(alphabet), 64)
        self.gru = nn.GRU(64, 256, batch_first=True)
        self.head = nn.Linear(256, len(alphabet))
        nn.init.xavier_uniform_(self.embedding.weight)
        for name, weight in self.gru.named_parameters():
            if "bias" in name:
                nn.init.zeros_(weight)
            elif "hh" in name:
                nn.init.orthogonal_(weight)
            else:
                nn.init.xavier_uniform_(weight)

    def forward(self, x):
        states, _ = self.gru(self.embedding(x))
        if self.training:
            states = states * (torch.rand(len(x), 1, 256) >= 0.1) / 0.9
        return self.head(states)


def loss(x, y):
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten())


model = Network()
optimizer = torch.optim.Adam(model.parameters(), 5e-3)
rate = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.8 ** (1 / (len(x) // 32)))
best = float("inf")
tell(step="begin")
for _ in range(int(sys.argv[1])):
    model.train()
    for chosen in torch.randperm(len(x)).split(32)[: len(x) // 32]:
        optimizer.zero_grad()
        loss(x[chosen], y[chosen]).backward()
        for weight in model.parameters():
            nn.utils.clip_grad_norm_(weight, 1.0)
        optimizer.step()
        rate.step()
    model.eval()
    with torch.no_grad():
        val_loss = loss(x_val, y_val).item()
    if val_loss < best:
        best = val_loss
        torch.save(model.state_dict(), "best.pt")
    tell(val_loss=val_loss)
