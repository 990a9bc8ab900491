"""The base model's denoiser: noise prediction on latents, captions as the CLIP text tower reads them."""

from pathlib import Path

import torch

import loop
import networks
from scenes import chance

PLAN = loop.Plan(steps=8000, rate=1e-3, warmup=200, average=0.9995)
BATCH = 32
# Share of pictures that are shown without their caption, for classifier-free guidance.
DROPPED = 0.1
# Low noise is easy and takes most of an even weighting (Hang et al., 2023, min-SNR).
MOST_SNR = 5.0


def alpha_bar() -> torch.Tensor:
    """Stable Diffusion v1's schedule: what is left of the picture after each of 1000 steps."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return (1 - betas).cumprod(0).float()


def train(latents: torch.Tensor, contexts: torch.Tensor, scale: float, plan: loop.Plan, checkpoint: Path):
    """`latents` (n, 8, 16, 16) hold means and deviations; `contexts` (n + 1, 77, width) end with the empty text."""
    network, kept = networks.unet(), alpha_bar()

    def loss(step: int):
        random = chance(step, 4)
        chosen = torch.randint(len(latents), (BATCH,), generator=random)
        mean, deviation = latents[chosen].float().chunk(2, dim=1)
        clean = (mean + deviation * torch.randn(mean.shape, generator=random)) * scale
        noise = torch.randn(mean.shape, generator=random)
        times = torch.randint(len(kept), (BATCH,), generator=random)
        dropped = torch.rand(BATCH, generator=random) < DROPPED
        context = contexts[torch.where(dropped, len(contexts) - 1, chosen)].float()
        left = kept[times].view(-1, 1, 1, 1)
        predicted = network(left.sqrt() * clean + (1 - left).sqrt() * noise, times, context).sample
        errors = (predicted - noise).square().mean(dim=(1, 2, 3))
        snr = kept[times] / (1 - kept[times])
        return (errors * snr.clamp(max=MOST_SNR) / snr).mean(), {"error": errors.mean().item()}

    return loop.train(network, loss, plan, checkpoint)
