"""The one training loop: AdamW, warm-up and cosine, averaged weights, checkpoints."""

import copy
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

# The loss of a step, and numbers to log beside it.
Loss = Callable[[int], tuple[torch.Tensor, dict[str, float]]]


@dataclass
class Plan:
    """How long and how fast to train."""

    steps: int
    rate: float
    warmup: int = 100
    average: float = 0.999
    decay: float = 0.01
    every: int = 200

    def rate_at(self, step: int) -> float:
        """The learning rate: linear up, then a half cosine down to a hundredth."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def train(module: torch.nn.Module, loss: Loss, plan: Plan, checkpoint: Path) -> torch.nn.Module:
    """Trains `module` in place, from the checkpoint if there is one; returns a copy with averaged weights."""
    averaged = copy.deepcopy(module).requires_grad_(False).eval()
    optimizer = torch.optim.AdamW(module.parameters(), weight_decay=plan.decay, betas=(0.9, 0.99), fused=True)
    first = resume(checkpoint, module, averaged, optimizer)
    log = open(checkpoint.with_suffix(".log"), "a", buffering=1)
    started, seen = time.time(), {}
    module.train()
    for step in range(first, plan.steps):
        for group in optimizer.param_groups:
            group["lr"] = plan.rate_at(step)
        value, numbers = loss(step)
        value.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        follow(averaged, module, min(plan.average, (1 + step) / (10 + step)))
        for name, number in {"loss": value.item(), **numbers}.items():
            seen.setdefault(name, []).append(number)
        if (step + 1) % plan.every == 0 or step + 1 == plan.steps:
            means = "  ".join(f"{name} {sum(values) / len(values):.4f}" for name, values in seen.items())
            log.write(f"{step + 1:6d}  {means}  {(time.time() - started) / len(seen['loss']):.3f} s/step\n")
            save(checkpoint, module, averaged, optimizer, step + 1)
            started, seen = time.time(), {}
    return averaged


@torch.no_grad()
def follow(averaged: torch.nn.Module, module: torch.nn.Module, keep: float) -> None:
    """Moves the average a little towards the current weights."""
    torch._foreach_lerp_(list(averaged.parameters()), list(module.parameters()), 1 - keep)


def save(path: Path, module, averaged, optimizer, step: int) -> None:
    """Writes a checkpoint; an interruption leaves the one before."""
    state = {"module": module.state_dict(), "averaged": averaged.state_dict()}
    torch.save({**state, "optimizer": optimizer.state_dict(), "step": step}, path.with_suffix(".new"))
    os.replace(path.with_suffix(".new"), path)


def resume(path: Path, module, averaged, optimizer) -> int:
    """Reads a checkpoint if there is one; returns the step to go on with."""
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    module.load_state_dict(state["module"])
    averaged.load_state_dict(state["averaged"])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"]
