"""A vision transformer in DINO's place: its feature tells which thing is shown, whatever stands around it.

Unlike DINO it is not distilled from itself: it learns by contrast between two or more pictures of one thing on
different backgrounds and pictures of other things (Khosla et al., 2020). Only layout and use are DINO's.
"""

from pathlib import Path

import torch
from torch.nn import functional as F

import loop
import networks
import views
from scenes import Scenes, chance

PLAN = loop.Plan(steps=1500, rate=1e-3)
THINGS, VIEWS = 48, 3
TEMPERATURE = 0.1
# The share of steps on the squeezed view, whose size and normalisation differ.
SQUEEZED = 0.25


def train(scenes: Scenes, plan: loop.Plan, checkpoint: Path):
    """`scenes` hold at least `VIEWS` pictures of each thing, one after the other."""
    network = networks.dino()

    def loss(step: int):
        random = chance(step, 3)
        pictures, things = scenes.of_things(THINGS, VIEWS, random)
        squeezed = torch.rand((), generator=random) < SQUEEZED
        seen = features(network, pictures, bool(squeezed))
        return contrast(seen, things)

    return loop.train(network, loss, plan, checkpoint)


def features(network, pictures: torch.Tensor, squeezed: bool) -> torch.Tensor:
    """Unit vectors (b, width) of the class token."""
    view = views.for_dino_squeezed(pictures) if squeezed else views.for_dino(pictures)
    seen = network(pixel_values=view, interpolate_pos_encoding=squeezed).last_hidden_state[:, 0]
    return F.normalize(seen, dim=-1)


def contrast(seen: torch.Tensor, things: torch.Tensor):
    """Each picture should be nearer to the others of its thing than to all else."""
    itself = torch.eye(len(things), dtype=torch.bool)
    scores = (seen @ seen.T / TEMPERATURE).masked_fill(itself, float("-inf"))
    same = (things[:, None] == things[None]) & ~itself
    # A masked score times zero would not be a number.
    likely = scores.log_softmax(dim=1).masked_fill(~same, 0.0)
    right = same.gather(1, scores.argmax(dim=1, keepdim=True)).float().mean()
    return -(likely.sum(dim=1) / same.sum(dim=1)).mean(), {"right": right.item()}
