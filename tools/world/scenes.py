"""The drawn world as arrays: scenes with captions, drawn by `vico-world`."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch


@dataclass
class Scenes:
    """Pictures (n, 64, 64, 3) as bytes, with one caption and one group number each."""

    pictures: np.ndarray
    captions: list[str]
    groups: np.ndarray

    def batch(self, indices: torch.Tensor) -> torch.Tensor:
        """Pictures (b, 3, 64, 64) from -1 to 1."""
        chosen = torch.from_numpy(self.pictures[indices.numpy()])
        return chosen.permute(0, 3, 1, 2).float().div(127.5).sub(1.0).contiguous()


def draw(world: Path, folder: Path, **recipe: float) -> Scenes:
    """Draws scenes unless they are there; the recipe's keys are the options of `vico-world scenes`."""
    done = folder / "recipe.json"
    if not done.exists() or json.loads(done.read_text()) != recipe:
        options = [part for key, value in recipe.items() for part in (f"--{key}", str(value))]
        subprocess.run([world, "scenes", "--out", folder, *options], check=True)
        done.write_text(json.dumps(recipe))
    lines = [json.loads(line) for line in (folder / "captions.jsonl").read_text().splitlines()]
    pictures = np.fromfile(folder / "images.u8", dtype=np.uint8).reshape(-1, 64, 64, 3)
    return Scenes(pictures, [line["caption"] for line in lines], np.array([line["group"] for line in lines]))


def chance(step: int, stage: int) -> torch.Generator:
    """The random numbers of a step: an interrupted training goes on with the ones it would have had."""
    return torch.Generator().manual_seed(stage * 1_000_003 + step)
