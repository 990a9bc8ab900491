"""Draws pictures for captions with a base model and writes them where `vico-world judge` looks for them.

    python tools/world/sample.py --base BASE --captions held_out.jsonl --out samples
"""

import argparse
import json
from pathlib import Path

import torch
from PIL import Image
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

SCALE, STEPS, BATCH = 5.0, 30, 28


class Base:
    """A base model in the diffusers layout, in single precision."""

    def __init__(self, folder: Path):
        single = {"dtype": torch.float32}
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        self.text = CLIPTextModel.from_pretrained(folder / "text_encoder", **single).eval()
        self.unet = UNet2DConditionModel.from_pretrained(folder / "unet", **single).eval()
        self.vae = AutoencoderKL.from_pretrained(folder / "vae", **single).eval()
        self.scheduler = DDIMScheduler.from_pretrained(folder / "scheduler")

    def contexts(self, captions: list[str]) -> torch.Tensor:
        """(b, 77, width)."""
        ids = self.tokenizer(captions, padding="max_length", max_length=77, truncation=True, return_tensors="pt")
        return self.text(ids.input_ids).last_hidden_state

    @torch.no_grad()
    def draw(self, captions: list[str], seed: int, scale: float = SCALE) -> torch.Tensor:
        """Pictures (b, 64, 64, 3) as bytes, by DDIM with classifier-free guidance."""
        context = torch.cat([self.contexts([""] * len(captions)), self.contexts(captions)])
        x = torch.randn((len(captions), 4, 16, 16), generator=torch.Generator().manual_seed(seed))
        self.scheduler.set_timesteps(STEPS)
        for time in self.scheduler.timesteps:
            free, guided = self.unet(torch.cat([x, x]), time, context).sample.chunk(2)
            x = self.scheduler.step(free + scale * (guided - free), time, x).prev_sample
        pictures = self.vae.decode(x / self.vae.config.scaling_factor).sample
        return ((pictures.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1)


def write(pictures: torch.Tensor, captions: list[str], out: Path) -> None:
    """Raw bytes, captions, and one picture of the first 96 for people."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "images.u8").write_bytes(pictures.numpy().tobytes())
    lines = [json.dumps({"caption": caption}) for caption in captions]
    (out / "captions.jsonl").write_text("\n".join(lines) + "\n")
    shown = pictures[: len(pictures[:96]) // 12 * 12]
    grid = shown.reshape(-1, 12, 64, 64, 3).transpose(1, 2).reshape(-1, 12 * 64, 3)
    Image.fromarray(grid.numpy()).save(out / "grid.png")


def main() -> None:
    """The command line."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--base", type=Path, required=True)
    options.add_argument("--captions", type=Path, required=True, help="lines of JSON with the key caption")
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--scale", type=float, default=SCALE, help="of the guidance")
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    torch.set_num_threads(2)
    captions = [json.loads(line)["caption"] for line in given.captions.read_text().splitlines()]
    base, parts = Base(given.base), []
    for start in range(0, len(captions), BATCH):
        parts.append(base.draw(captions[start : start + BATCH], given.seed + start, given.scale))
    write(torch.cat(parts), captions, given.out)


if __name__ == "__main__":
    main()
