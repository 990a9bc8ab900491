"""Trains the small world's models, stage by stage: what is there already is kept, an interrupted stage goes on.

    python tools/world/train.py --world target/release/vico-world --tokenizer CLIP/tokenizer.json --out /tmp/world
"""

import argparse
import dataclasses
import subprocess
import sys
import time
from pathlib import Path

import torch
from transformers import CLIPModel, CLIPTokenizer

import export
import scenes
import tokens
import train_clip
import train_dino
import train_unet
import train_vae

HERE = Path(__file__).resolve().parent
PROMPTS = HERE.parent.parent / "manifests" / "prompts"
SCENES = {"things": 40000, "views": 1, "toys": 0.25, "seed": 0}
VIEWS = {"things": 8000, "views": 4, "toys": 0.7, "seed": 1}
HELD_OUT = 224


class Training:
    """All stages; each writes its output."""

    def __init__(self, given: argparse.Namespace):
        self.given, self.out = given, given.out
        self.base, self.clip, self.dino = (given.out / "models" / name for name in ("base", "clip", "dino"))
        self.tokenizer = self.base / "tokenizer"
        self.work = given.out / "work"
        self.work.mkdir(parents=True, exist_ok=True)

    def plan(self, module):
        """A stage's plan, shortened for a smoke test."""
        steps = min(module.PLAN.steps, self.given.steps or module.PLAN.steps)
        return dataclasses.replace(module.PLAN, steps=steps)

    def pictures(self) -> scenes.Scenes:
        """What all but DINO are trained on."""
        return scenes.draw(self.given.world, self.work / "scenes", **SCENES)

    def cut_tokenizer(self) -> None:
        """CLIP's byte-pair encoding with the words that are needed, for the base model and for CLIP."""
        words = tokens.wanted_words(HERE / "words.txt", PROMPTS)
        for folder in (self.tokenizer, self.clip):
            count = tokens.cut(self.given.tokenizer, words, folder)
        say(f"tokenizer: {count} tokens for {len(words)} words")

    def ids(self, captions: list[str]) -> torch.Tensor:
        """Tokens of captions, padded: (n, 77)."""
        tokenizer = CLIPTokenizer.from_pretrained(self.tokenizer)
        return tokenizer(captions, padding="max_length", max_length=77, return_tensors="pt").input_ids

    def train_vae(self) -> None:
        """Writes base/vae."""
        trained = train_vae.train(self.pictures(), self.plan(train_vae), self.work / "vae.ckpt")
        export.diffusers_network(trained, self.base / "vae")

    def repeated(self) -> scenes.Scenes:
        """The same things in several places."""
        return scenes.draw(self.given.world, self.work / "views", **VIEWS)

    def train_clip(self) -> None:
        """Writes clip."""
        world = self.pictures()
        ids, plan = self.ids(world.captions), self.plan(train_clip)
        trained = train_clip.train(world, self.repeated(), ids, plan, self.work / "clip.ckpt")
        export.transformers_network(trained, self.clip)

    def train_dino(self) -> None:
        """Writes dino."""
        trained = train_dino.train(self.repeated(), self.plan(train_dino), self.work / "dino.ckpt")
        export.transformers_network(trained, self.dino)

    def train_unet(self) -> None:
        """Writes base/unet, base/text_encoder and the small files, from the VAE and CLIP's text tower as they were written."""
        world, vae = self.pictures(), train_vae.networks.AutoencoderKL.from_pretrained(self.base / "vae", dtype=torch.float32)
        latents = kept(self.work / "latents.pt", lambda: train_vae.latents(vae, world))
        text = CLIPModel.from_pretrained(self.clip, dtype=torch.float32).text_model
        start = text, vae.config.scaling_factor
        ids = self.ids([*world.captions, ""])
        trained = train_unet.train(latents, ids, start, self.plan(train_unet), self.work / "unet.ckpt")
        export.diffusers_network(trained.unet, self.base / "unet")
        export.text_encoder(trained.text, self.base / "text_encoder", text.config)
        export.scheduler_and_index(self.base)

    def judge(self) -> None:
        """Draws held-out pairs and lets the judge look at them."""
        listed = self.work / "held_out.jsonl"
        with listed.open("w") as file:
            subprocess.run([self.given.world, "pairs", "--count", str(HELD_OUT)], stdout=file, check=True)
        command = [sys.executable, HERE / "sample.py", "--base", self.base, "--captions", listed]
        subprocess.run([*command, "--out", self.out / "samples"], check=True)
        subprocess.run([self.given.world, "judge", self.out / "samples"], check=True)


def kept(path: Path, make) -> torch.Tensor:
    """A tensor from its file, or made and put there."""
    if not path.exists():
        torch.save(make(), path)
    return torch.load(path)


def say(text: str) -> None:
    """A line with the time of day."""
    print(time.strftime("%H:%M:%S"), text, flush=True)


def main() -> None:
    """The command line."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--world", type=Path, required=True, help="the program vico-world")
    options.add_argument("--tokenizer", type=Path, required=True, help="CLIP's tokenizer.json")
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--steps", type=int, help="at most this many steps a stage, for a smoke test")
    options.add_argument("--only", help="one stage by its name; VAE, CLIP and DINO can be trained side by side")
    options.add_argument("--threads", type=int, default=2)
    given = options.parse_args()
    training = Training(given)
    torch.set_num_threads(given.threads)
    stages = [
        (training.cut_tokenizer, training.clip / "vocab.json"),
        (training.train_vae, training.base / "vae"),
        (training.train_clip, training.clip / "config.json"),
        (training.train_unet, training.base / "model_index.json"),
        (training.train_dino, training.dino),
        (training.judge, training.out / "samples"),
    ]
    for stage, output in stages:
        if not output.exists() and given.only in (None, stage.__name__):
            say(stage.__name__)
            torch.manual_seed(0)
            stage()
    say("done")


if __name__ == "__main__":
    main()
