"""The default model of recipes/forecast_gru.py in plain PyTorch.

Usage: `forecast_gru_torch.py EPOCHS`."""

import sys

import torch
from clock import tell
from pmdarima.datasets import load_taylor
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
SEASON, HISTORY, HORIZON = 336, 1008, 48
demand = torch.from_numpy(load_taylor(as_series=False).astype("float32"))
windows = demand[:-672].unfold(0, HISTORY + HORIZON, 1)
train, validation = windows[: len(windows) - 336], windows[-336 + HORIZON - 1 :]
x, y = train[:, :HISTORY], train[:, HISTORY:]
before = torch.arange(HORIZON) + HISTORY - SEASON
scale = (y - x[:, before]).std()
tau = torch.tensor([0.1, 0.5, 0.9])


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(12, 32, batch_first=True)
        self.head = nn.Linear(HISTORY - SEASON + 32, 3 * HORIZON)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, history):
        z = (history[:, SEASON:] - history[:, :-SEASON]) / scale
        if self.training:
            z = z + 0.3 * torch.randn_like(z)
        _, state = self.gru(z.view(len(z), -1, 12))
        z = self.head(torch.cat([z, F.dropout(state[0], 0.1, self.training)], 1))
        middle, below, above = z.view(-1, HORIZON, 3).unbind(-1)
        quantiles = torch.stack(
            [middle - F.softplus(below), middle, middle + F.softplus(above)], -1
        )
        return history[:, before, None] + scale * quantiles


def loss(x, y):
    error = y[..., None] - model(x)
    return torch.maximum(tau * error, (tau - 1) * error).mean()


model = Network()
average = torch.optim.swa_utils.AveragedModel(
    model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)
)
optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.004)
rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12 * (len(x) // 32))
best = float("inf")
tell(step="begin")
for _ in range(int(sys.argv[1])):
    model.train()
    for chosen in torch.randperm(len(x)).split(32)[: len(x) // 32]:
        optimizer.zero_grad()
        loss(x[chosen], y[chosen]).backward()
        optimizer.step()
        average.update_parameters(model)
        rate.step()
    model.eval()
    with torch.no_grad():
        val_loss = loss(validation[:, :HISTORY], validation[:, HISTORY:]).item()
    if val_loss < best:
        best = val_loss
        torch.save(model.state_dict(), "best.pt")
    tell(val_loss=val_loss)
