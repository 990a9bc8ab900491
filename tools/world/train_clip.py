"""CLIP: pictures and captions in one space. Its text tower conditions the base model."""

from pathlib import Path

import torch
from torch.nn import functional as F

import loop
import networks
import train_dino
import views
from scenes import Scenes, chance

PLAN = loop.Plan(steps=4000, rate=1e-3)
BATCH = 128
# The share of steps whose pictures all have one background and one colour. Among any 128 pictures these two tell nearly
# all apart, and what else a thing is, its shape above all, would not be learned. The easy half comes first: alone, the
# hard one is not learned at all.
HARD, EASY_STEPS = 0.5, 2000
# The share of steps without words, on pictures of the same things (SLIP, Mu et al., 2021). No caption says what makes
# a toy this toy, so from captions alone CLIP-I would compare little but the places.
WORDLESS = 0.25


def train(scenes: Scenes, things: Scenes, ids: torch.Tensor, plan: loop.Plan, checkpoint: Path):
    """`ids` are the tokens of the scenes' captions (n, 77), the last id being the end of text; `things` are shown several
    times each."""
    network = networks.clip(int(ids.max()) + 1)

    def loss(step: int):
        random = chance(step, 5)
        if torch.rand((), generator=random) < WORDLESS:
            pictures, shown = things.of_things(train_dino.THINGS, train_dino.VIEWS, random)
            value, numbers = train_dino.contrast(seen(network, pictures), shown)
            return value, {"right thing": numbers["right"]}
        chosen = choice(scenes, step)
        pictures, texts = features(network, scenes.batch(chosen), ids[chosen])
        scores = network.logit_scale.exp().clamp(max=100.0) * pictures @ texts.T
        return contrast(scores, ids[chosen])

    return loop.train(network, loss, plan, checkpoint)


def choice(scenes: Scenes, step: int) -> torch.Tensor:
    """Places of a batch: any pictures, or some that look alike."""
    random = chance(step, 2)
    if step < EASY_STEPS or torch.rand((), generator=random) >= HARD:
        return torch.randint(len(scenes.captions), (BATCH,), generator=random)
    group = scenes.lookalikes[int(torch.randint(len(scenes.lookalikes), (), generator=random))]
    return torch.from_numpy(group)[torch.randint(len(group), (BATCH,), generator=random)]


def features(network, pictures: torch.Tensor, ids: torch.Tensor):
    """Unit vectors (b, width) of pictures from -1 to 1 and of texts."""
    # Padding does not reach the end token: the mask is causal.
    read = network.text_model(input_ids=ids[:, : used(ids)]).pooler_output
    return seen(network, pictures), F.normalize(network.text_projection(read), dim=-1)


def seen(network, pictures: torch.Tensor) -> torch.Tensor:
    """Unit vectors (b, width) of pictures from -1 to 1."""
    tokens = network.vision_model(pixel_values=views.for_clip(pictures)).pooler_output
    return F.normalize(network.visual_projection(tokens), dim=-1)


def used(ids: torch.Tensor) -> int:
    """Tokens of the longest text, its end included."""
    return int((ids == ids.max()).int().argmax(dim=1).max()) + 1


def contrast(scores: torch.Tensor, ids: torch.Tensor):
    """Cross entropy both ways. Pictures with the same caption are no counterexamples of each other."""
    same = (ids[:, None] == ids[None]).all(dim=-1)
    others = same & ~torch.eye(len(ids), dtype=torch.bool)
    scores = scores.masked_fill(others, float("-inf"))
    target = torch.arange(len(ids))
    value = (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2
    right = (scores.argmax(dim=1) == target).float().mean()
    return value, {"right": right.item()}
