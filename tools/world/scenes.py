"""The drawn world as arrays: scenes with captions, drawn by `vico-world`."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch


@dataclass
class Scenes:
    """Pictures (n, 64, 64, 3) as bytes, with one caption and one group number each.

    `lookalikes` are the places of all things of one colour before one background.
    """

    pictures: np.ndarray
    captions: list[str]
    groups: np.ndarray
    lookalikes: list[np.ndarray]

    def batch(self, indices: torch.Tensor) -> torch.Tensor:
        """Pictures (b, 3, 64, 64) from -1 to 1."""
        chosen = torch.from_numpy(self.pictures[indices.numpy()])
        return chosen.permute(0, 3, 1, 2).float().div(127.5).sub(1.0).contiguous()

    def of_things(self, things: int, views: int, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Pictures of some things, `views` of each, and which thing each shows; things' pictures follow one another."""
        each = int((self.groups == 0).sum())
        chosen = torch.randperm(len(self.pictures) // each, generator=random)[:things]
        shown = torch.stack([torch.randperm(each, generator=random)[:views] for _ in chosen])
        return self.batch((chosen[:, None] * each + shown).flatten()), chosen.repeat_interleave(views)


def draw(world: Path, folder: Path, **recipe: float) -> Scenes:
    """Draws scenes unless they are there; the recipe's keys are the options of `vico-world scenes`."""
    done = folder / "recipe.json"
    if not done.exists() or json.loads(done.read_text()) != recipe:
        options = [part for key, value in recipe.items() for part in (f"--{key}", str(value))]
        subprocess.run([world, "scenes", "--out", folder, *options], check=True)
        done.write_text(json.dumps(recipe))
    lines = [json.loads(line) for line in (folder / "captions.jsonl").read_text().splitlines()]
    pictures = np.fromfile(folder / "images.u8", dtype=np.uint8).reshape(-1, 64, 64, 3)
    captions, groups = [line["caption"] for line in lines], np.array([line["group"] for line in lines])
    return Scenes(pictures, captions, groups, lookalikes(lines))


def lookalikes(lines: list[dict]) -> list[np.ndarray]:
    """Places of lines by background and colour; toys, whose captions do not tell them apart, are in none."""
    places: dict[tuple[str, str], list[int]] = {}
    for place, line in enumerate(lines):
        if thing := line["thing"].get("object"):
            places.setdefault((line["background"], thing["colour"]), []).append(place)
    return [np.array(places[key]) for key in sorted(places)]


def chance(step: int, stage: int) -> torch.Generator:
    """The random numbers of a step: an interrupted training goes on with the ones it would have had."""
    return torch.Generator().manual_seed(stage * 1_000_003 + step)
