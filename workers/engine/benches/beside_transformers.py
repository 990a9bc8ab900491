"""Features of pictures per second: this engine beside transformers, in turn on the same CPU, models and pictures.

    python workers/engine/benches/beside_transformers.py [--pictures 32] [--rounds 5] [--threads 2]

Needs cargo, torch, transformers and Pillow. CLIP is ViT-B/32 and DINO ViT-S/16 at their published sizes with random
weights: what a picture costs does not depend on their values. Each side gets decoded 512 x 512 pictures and resizes them
as `bench-v1` says (Pillow's bicubic), in single precision. The engine takes up to 8 pictures together; transformers is
timed one by one, and in batches of 8. First features are compared, so both do the same. Ratios are medians over rounds of
engine / transformers, of wall time and of processor time, which other programs on a busy machine disturb less.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPModel, ViTConfig, ViTModel

ROOT = Path(__file__).resolve().parents[3]
TOKENIZER = ROOT / "workers/engine/tests/fixtures/parity/tiny-sd/tokenizer"
CLIP_NORM = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
IMAGENET_NORM = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
BATCHES = (1, 8)


def make(folder: Path, count: int):
    """Models and pictures on disk; returns both networks."""
    torch.manual_seed(0)
    clip = CLIPModel(CLIPConfig(text_config={}, vision_config={"patch_size": 32}, projection_dim=512)).eval()
    dino_config = ViTConfig(hidden_size=384, num_attention_heads=6, intermediate_size=1536, layer_norm_eps=1e-6)
    dino = ViTModel(dino_config, add_pooling_layer=False).eval()
    clip.save_pretrained(folder / "clip")
    dino.save_pretrained(folder / "dino")
    (folder / "tokenizer").symlink_to(TOKENIZER)
    (folder / "pictures").mkdir()
    x, y = np.meshgrid(np.arange(512), np.arange(512))
    for number in range(count):
        channels = (x + y, x ^ (y * (number + 1)), x * y // 512)
        picture = np.stack([channel % 256 for channel in channels], axis=-1).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"pictures/{number:03}.png")
    return clip, dino


def view(picture: Image.Image, short: int, norm) -> torch.Tensor:
    """Short side to `short`, the middle 224, normalised: (3, 224, 224)."""
    edge = (short - 224) // 2
    resized = picture.resize((short, short), Image.BICUBIC).crop((edge, edge, edge + 224, edge + 224))
    mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in norm)
    return (torch.from_numpy(np.array(resized)).permute(2, 0, 1).float() / 255 - mean) / deviation


@torch.inference_mode()
def transformers_seconds(clip, dino, pictures: list, batch: int) -> tuple[float, float, float]:
    """Wall and processor time over all pictures, and the first number of the first feature."""
    started, cpu, first = time.perf_counter(), time.process_time(), None
    for start in range(0, len(pictures), batch):
        part = pictures[start : start + batch]
        seen = clip.vision_model(torch.stack([view(picture, 224, CLIP_NORM) for picture in part])).pooler_output
        feature = clip.visual_projection(seen)
        dino(torch.stack([view(picture, 256, IMAGENET_NORM) for picture in part])).last_hidden_state[:, 0].numpy()
        first = feature[0, 0].item() if first is None else first
    return time.perf_counter() - started, time.process_time() - cpu, first


def engine_seconds(folder: Path, threads: int) -> tuple[float, float, float]:
    """The same of the engine."""
    command = ["cargo", "bench", "--quiet", "--workspace", "--bench", "metrics", "--", "--dir", folder]
    done = subprocess.run([*command, "--threads", str(threads)], cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, cpu, first = map(float, done.stdout.split()[-3:])
    return seconds, cpu, first


def main() -> None:
    """The command line."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--pictures", type=int, default=32)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--threads", type=int, default=2)
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        clip, dino = make(folder, given.pictures)
        pictures = [Image.open(path).convert("RGB") for path in sorted((folder / "pictures").iterdir())]
        transformers_seconds(clip, dino, pictures[:8], 1)
        times = {name: [] for name in ("engine", *(f"transformers, batch {batch}" for batch in BATCHES))}
        for _ in range(given.rounds):
            *ours, feature = engine_seconds(folder, given.threads)
            times["engine"].append(ours)
            for batch in BATCHES:
                *theirs, other = transformers_seconds(clip, dino, pictures, batch)
                assert abs(feature - other) < 1e-4, (feature, other)
                times[f"transformers, batch {batch}"].append(theirs)
    print(f"{given.pictures} pictures, {given.rounds} rounds in turn, {given.threads} threads, torch {torch.__version__}")
    for name, values in times.items():
        rate = statistics.median(given.pictures / wall for wall, _ in values)
        wall, cpu = (statistics.median(a[i] / b[i] for a, b in zip(times["engine"], values)) for i in range(2))
        print(f"{name:<24}{rate:7.1f} pictures/s, engine / this: wall {wall:.2f}, cpu {cpu:.2f}")


main()
