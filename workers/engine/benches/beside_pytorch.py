"""Stable Diffusion v1 at full size on a CPU: this engine beside PyTorch, in turn in one run, on the same random weights.

    python workers/engine/benches/beside_pytorch.py --dir /tmp/sd-shaped [--threads 1 2] [--rounds 3] [--calls unet ...]
        [--precision bf16]

Needs cargo, torch and diffusers; says so and stops where they are absent. The model directory (4.3 GB) is written once by
the benchmark `full_size`, which also is the engine's side. Calls, at 512 x 512:

    unet        one U-Net forward pass of one latent
    vae_encode  one picture to its posterior
    vae_decode  one latent to a picture
    train       one train step of ViCo, batch 1: the engine on cached posteriors, target and reference in one batch, with
                recomputation of feed-forwards; PyTorch as the official code does it, see `official_vico.py`
    sample      ViCo, --images images of one prompt in --steps denoise steps with guidance, decoding included

All is f32; with `--precision bf16` both sides have the U-Net in bf16 (the engine its matrices, and attention's products), and `unet` is the
only call.

Of the first three the results are compared. Both sides are processes of their own that load the model before they are
timed. Printed are medians over rounds of the ratio engine / PyTorch within a round: of wall time, and of processor time
(user and system, all threads), which other programs on a busy machine disturb less; and each side's peak resident set.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
CALLS = ("unet", "vae_encode", "vae_decode", "train", "sample")
# By how much a number may differ. In bf16 either side is off by about as much.
COMPARED = {"f32": 1e-3, "bf16": 5e-2}


class Side:
    """A process that answers calls."""

    def __init__(self, command: list[str], environment: dict[str, str]):
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        while (line := self.process.stdout.readline()) != "ready\n":
            assert line, f"{command[0]} ended early"

    def call(self, name: str) -> dict:
        """What one call took."""
        print(name, file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        assert line, f"{name} failed"
        return json.loads(line)

    def end(self) -> None:
        """Gives its memory back."""
        self.process.stdin.close()
        self.process.wait()


def sides(given: argparse.Namespace, threads: int):
    """How to start the engine, and how to start PyTorch."""
    shared = ["--dir", str(given.dir), "--size", str(given.size), "--threads", str(threads), "--images", str(given.images)]
    shared += ["--steps", str(given.steps), "--precision", given.precision]
    cargo = ["cargo", "bench", "--quiet", "--workspace", "--bench", "full_size", "--", "--beside", *shared]
    # Idle threads of the other side must not spin through the engine's turn, nor count as its own work.
    passive = {"OMP_WAIT_POLICY": "passive", "KMP_BLOCKTIME": "0"}
    return (lambda: Side(cargo, {})), (lambda: Side([sys.executable, str(HERE / "official_vico.py"), *shared], passive))


def measure(given: argparse.Namespace, threads: int, name: str) -> list[tuple[dict, dict]]:
    """Rounds of one call on both sides."""
    start_ours, start_theirs = sides(given, threads)
    rounds = []
    if name == "train":
        # Together they may not fit: each has the machine's memory for itself. A training has hundreds of steps, so the first,
        # in which all memory is touched for the first time, does not count.
        for _ in range(given.rounds):
            pair = []
            for start in (start_ours, start_theirs):
                side = start()
                side.call(name)
                pair.append(side.call(name))
                side.end()
            rounds.append(tuple(pair))
        return rounds
    ours, theirs = start_ours(), start_theirs()
    if name != "sample":
        a, b = ours.call(name)["first"], theirs.call(name)["first"]
        assert abs(a - b) < COMPARED[given.precision], f"{name}: the engine says {a}, PyTorch {b}"
    for _ in range(given.rounds):
        rounds.append((ours.call(name), theirs.call(name)))
    ours.end()
    theirs.end()
    return rounds


def line(threads: int, name: str, rounds: list[tuple[dict, dict]]) -> str:
    """A row of the table."""
    ratio = lambda key: statistics.median(ours[key] / theirs[key] for ours, theirs in rounds)
    middle = lambda side, key: statistics.median(pair[side][key] for pair in rounds)
    cpu = f"{middle(0, 'cpu'):8.2f} s {middle(1, 'cpu'):8.2f} s"
    peak = f"{middle(0, 'peak') / 2**30:6.2f} GiB {middle(1, 'peak') / 2**30:6.2f} GiB"
    return f"{name:<12}{threads:>3}{ratio('wall'):>8.2f}{ratio('cpu'):>8.2f}  {cpu}  {peak}{ratio('peak'):>8.2f}"


def main() -> None:
    """The command line."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--dir", type=Path, required=True, help="where the model is, or is written")
    options.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--calls", nargs="+", choices=CALLS)
    options.add_argument("--precision", choices=COMPARED, default="f32")
    options.add_argument("--size", type=int, default=512)
    options.add_argument("--images", type=int, default=8)
    options.add_argument("--steps", type=int, default=1)
    given = options.parse_args()
    possible = CALLS if given.precision == "f32" else ("unet",)
    given.calls = given.calls or possible
    if set(given.calls) - set(possible):
        options.error(f"in {given.precision} there is only {', '.join(possible)}")
    absent = [name for name in ("torch", "diffusers", "transformers") if importlib.util.find_spec(name) is None]
    if absent:
        print(f"skipped: this Python has no {', '.join(absent)}")
        return
    print(f"{given.size} x {given.size}, {given.precision}, {given.rounds} rounds in turn; load before: {os.getloadavg()[0]:.1f}")
    print("            thr    wall     cpu  cpu engine  PyTorch     peak engine  PyTorch   ratio")
    for name in given.calls:
        for threads in given.threads:
            print(line(threads, name, measure(given, threads, name)), flush=True)
    print(f"load after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
