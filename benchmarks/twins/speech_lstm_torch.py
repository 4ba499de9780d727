"""The default model of recipes/speech_lstm.py in plain PyTorch.

Usage: `speech_lstm_torch.py EPOCHS`."""

import sys
from pathlib import Path

import numpy as np
import torch
from clock import tell
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
file = Path(__file__).parents[2] / "kcatalog/recipe/data/sets/japanese_vowels.npz"
with np.load(file) as arrays:  # the first 270 utterances are the training part
    utterances = np.split(arrays["frames"], np.cumsum(arrays["lengths"])[:-1])[:270]
    y = arrays["speakers"][:270]
steps = torch.tensor([len(u) for u in utterances])
x = torch.zeros(len(utterances), 29, 12)
for i, utterance in enumerate(utterances):
    x[i, : len(utterance)] = torch.from_numpy(utterance)
y = torch.from_numpy(y.astype("int64"))
train, val = train_test_split(np.arange(len(y)), test_size=0.1, stratify=y, random_state=0)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.normalization = nn.BatchNorm1d(12, eps=1e-3)
        self.lstm = nn.LSTM(12, 64, batch_first=True, bidirectional=True)
        self.head = nn.Linear(128, 9)
        for name, bias in self.lstm.named_parameters():  # gates in the order i, f, g, o
            if "bias" in name:
                nn.init.zeros_(bias)
            if "bias_ih" in name:
                remember = torch.log(torch.empty(64).uniform_(1, 28))
                bias.data[:64], bias.data[64:128] = -remember, remember

    def forward(self, x, steps):
        x = self.normalization(x.transpose(1, 2)).transpose(1, 2)
        if self.training:
            x = x + 0.3 * torch.randn_like(x)
            x = x * (torch.rand(len(x), 1, 12) >= 0.2) / 0.8
        packed = nn.utils.rnn.pack_padded_sequence(x, steps, True, enforce_sorted=False)
        _, (state, _) = self.lstm(packed)
        return self.head(F.dropout(torch.cat([state[0], state[1]], 1), 0.5, self.training))


model = Network()
optimizer = torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=0.004)
rate = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9 ** (1 / (len(train) // 16)))
best = float("inf")
tell(step="begin")
for _ in range(int(sys.argv[1])):
    model.train()
    for chosen in torch.from_numpy(train)[torch.randperm(len(train))].split(16):
        if len(chosen) == 16:
            optimizer.zero_grad()
            F.cross_entropy(model(x[chosen], steps[chosen]), y[chosen]).backward()
            for weight in model.parameters():
                nn.utils.clip_grad_norm_(weight, 1.0)
            optimizer.step()
            rate.step()
    model.eval()
    with torch.no_grad():
        scores = model(x[val], steps[val])
    loss = F.cross_entropy(scores, y[val]).item()
    if loss < best:
        best = loss
        torch.save(model.state_dict(), "best.pt")
    tell(val_loss=loss, val_accuracy=(scores.argmax(1) == y[val]).float().mean().item())
