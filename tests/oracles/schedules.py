"""Learning rates of PyTorch's schedulers, step by step.

python tests/oracles/schedules.py > packages/training/src/schedule/fixtures/schedules.json
"""
import json
import sys
import warnings

import torch

warnings.filterwarnings("ignore")


def run(make, total, lr, betas=(0.9, 0.999)):
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([weight], lr, betas=betas)
    schedule = make(optimizer)
    rates, momenta = [], []
    for _ in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["betas"][0])
        optimizer.step()
        schedule.step()
    return {"lr": rates, "beta1": momenta}


def one_cycle(total, lr, **options):
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([weight], lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=total, **options)
    rates, momenta = [], []
    for step in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["betas"][0])
        optimizer.step()
        if step < total - 1:
            schedule.step()
    return {"total": total, "lr": rates, "beta1": momenta, "max": lr, "options": options}


cosine = {}
for total, lr in ((1, 0.1), (10, 3e-3), (97, 1e-2)):
    cosine[str(total)] = {"max": lr, "total": total, **run(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, total), total, lr)}
cycles = [
    one_cycle(10, 1e-3),
    one_cycle(97, 3e-4),
    one_cycle(400, 1e-2),
    one_cycle(50, 1e-3, pct_start=0.1, div_factor=10.0, final_div_factor=100.0),
    one_cycle(50, 1e-3, pct_start=0.5),
    one_cycle(40, 1e-3, cycle_momentum=False),
]
json.dump({"peer": f"torch {torch.__version__}", "oneCycle": cycles, "cosine": list(cosine.values())}, sys.stdout)
