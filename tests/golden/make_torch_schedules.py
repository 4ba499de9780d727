"""Writes the rates of PyTorch's and pytorch_optimizer's schedules; README.md beside it says more.

`one_cycle_*` are made with 41 steps and a peak at step 10: PyTorch counts from one before.
"""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from pytorch_optimizer.lr_scheduler import CosineAnnealingWarmupRestarts, get_wsd_schedule
from torch.optim import lr_scheduler

FOLDER = Path(__file__).parent
PEER = f"pytorch_optimizer {version('pytorch_optimizer')}, torch {torch.__version__}"


def rates(make, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.75)
    schedule, found = make(optimizer), []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def cyclic(mode, gamma=1.0):
    return lambda o: lr_scheduler.CyclicLR(
        o, 0.125, 0.75, 7, mode=mode, gamma=gamma, cycle_momentum=False
    )


def one_cycle(curve, three_phase=False):
    return lambda o: lr_scheduler.OneCycleLR(
        o,
        0.5,
        total_steps=41,
        pct_start=11 / 41,
        anneal_strategy=curve,
        cycle_momentum=False,
        div_factor=10.0,
        final_div_factor=100.0,
        three_phase=three_phase,
    )


def wsd(cooldown_type, final=0.0):
    return lambda o: get_wsd_schedule(o, 8, 12, 16, final, cooldown_type=cooldown_type)


found = {
    "cyclic_triangular": rates(cyclic("triangular"), 60),
    "cyclic_triangular2": rates(cyclic("triangular2"), 60),
    "cyclic_exponential": rates(cyclic("exp_range", 0.96875), 60),
    "one_cycle_cosine": rates(one_cycle("cos"), 41),
    "one_cycle_linear": rates(one_cycle("linear"), 41),
    "one_cycle_three_phases": rates(one_cycle("linear", True), 41),
    "wsd_linear": rates(wsd("linear"), 50),
    "wsd_cosine": rates(wsd("cosine", 0.125), 50),
    "wsd_1-sqrt": rates(wsd("1-sqrt"), 50),
    "warmup_restarts": rates(
        lambda o: CosineAnnealingWarmupRestarts(o, 20, 1.0, 0.5, 0.125, 5, gamma=0.5), 60
    ),
}
np.savez_compressed(FOLDER / "torch_schedules.npz", peer=np.array(PEER), **found)
