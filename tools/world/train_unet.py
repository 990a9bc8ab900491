"""The base model's denoiser, trained together with the text encoder that it is conditioned on.

The text encoder starts as CLIP's text tower. Latent diffusion models of before Stable Diffusion train theirs like this (Rombach
et al., 2022, section 3.3): a tower that was trained on few pictures tells shapes apart less well than a denoiser needs.
"""

from pathlib import Path

import torch
from diffusers.models.attention_processor import AttnProcessor

import loop
import networks
from scenes import chance

PLAN = loop.Plan(steps=5500, rate=1e-3, warmup=200, average=0.999)
BATCH = 32
# Share of pictures that are shown without their caption, for classifier-free guidance.
DROPPED = 0.1
# How much more the error counts where a thing is. What a place looks like is learned long before any shape.
THING = 3.0
# Low noise is easy and takes most of an even weighting (Hang et al., 2023, min-SNR).
MOST_SNR = 5.0


def alpha_bar() -> torch.Tensor:
    """Stable Diffusion v1's schedule: what is left of the picture after each of 1000 steps."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return (1 - betas).cumprod(0).float()


class Conditioned(torch.nn.Module):
    """The U-Net and its text encoder."""

    def __init__(self, text: torch.nn.Module):
        super().__init__()
        # Convolutions take channels last as they are, and at 256 pixels plain attention has the faster way back on a CPU.
        self.text, self.unet = text, networks.unet().to(memory_format=torch.channels_last)
        self.unet.set_attn_processor(AttnProcessor())

    def forward(self, noisy: torch.Tensor, times: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """The noise in (b, 4, 16, 16), for captions of tokens (b, 77)."""
        context = self.text(input_ids=ids).last_hidden_state
        with torch.autocast("cpu", torch.bfloat16):
            return self.unet(noisy.to(memory_format=torch.channels_last), times, context).sample.float()


def train(latents: torch.Tensor, ids: torch.Tensor, start: tuple, plan: loop.Plan, checkpoint: Path) -> Conditioned:
    """`latents` (n, 9, 16, 16) hold means, deviations and where things are; `ids` (n + 1, 77) are the captions' tokens and
    end with those of the empty text. `start` is a text encoder and the latents' scale."""
    text, scale = start
    network, kept = Conditioned(text), alpha_bar()

    def loss(step: int):
        random = chance(step, 4)
        chosen = torch.randint(len(latents), (BATCH,), generator=random)
        mean, deviation, thing = latents[chosen].float().split((4, 4, 1), dim=1)
        clean = (mean + deviation * torch.randn(mean.shape, generator=random)) * scale
        noise = torch.randn(mean.shape, generator=random)
        times = torch.randint(len(kept), (BATCH,), generator=random)
        dropped = torch.rand(BATCH, generator=random) < DROPPED
        captions = ids[torch.where(dropped, len(ids) - 1, chosen)]
        left = kept[times].view(-1, 1, 1, 1)
        predicted = network(left.sqrt() * clean + (1 - left).sqrt() * noise, times, captions)
        wrong, counts = (predicted - noise).square(), 1 + (THING - 1) * thing
        errors = (wrong * counts).mean(dim=(1, 2, 3)) / counts.mean()
        snr = kept[times] / (1 - kept[times])
        return (errors * snr.clamp(max=MOST_SNR) / snr).mean(), {"error": wrong.mean().item()}

    return loop.train(network, loss, plan, checkpoint)
