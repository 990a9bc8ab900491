"""The picture autoencoder."""

from pathlib import Path

import torch
from torch.nn import functional as F

import loop
import networks
from scenes import Scenes, chance

PLAN = loop.Plan(steps=2400, rate=1.5e-3)
BATCH = 32
# Weight of the latent's divergence from a unit Gaussian, per element: keeps latents smooth for the diffusion.
DIVERGENCE = 1e-4


def train(scenes: Scenes, plan: loop.Plan, checkpoint: Path):
    """Trains until the plan is done; returns the network with averaged weights and its scaling factor set."""
    network = networks.vae()

    def loss(step: int):
        random = chance(step, 1)
        pictures = scenes.batch(torch.randint(len(scenes.pictures), (BATCH,), generator=random))
        with torch.autocast("cpu", torch.bfloat16):
            posterior = network.encode(pictures).latent_dist
            noise = torch.randn(posterior.mean.shape, generator=random)
            drawn = network.decode(posterior.mean.float() + posterior.std.float() * noise).sample.float()
        plain = F.l1_loss(drawn, pictures)
        total = plain + 0.5 * edges(drawn - pictures) + DIVERGENCE * divergence(posterior)
        return total, {"l1": plain.item(), "psnr": psnr(drawn, pictures)}

    trained = loop.train(network, loss, plan, checkpoint)
    trained.register_to_config(scaling_factor=1 / latent_deviation(trained, scenes))
    return trained


def edges(difference: torch.Tensor) -> torch.Tensor:
    """Wrong slopes: what makes a picture look blurred."""
    return difference.diff(dim=2).abs().mean() + difference.diff(dim=3).abs().mean()


def divergence(posterior) -> torch.Tensor:
    """From a unit Gaussian, mean over latent elements, in nats."""
    mean, log_variance = posterior.mean.float(), posterior.logvar.float()
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean()


def psnr(drawn: torch.Tensor, pictures: torch.Tensor) -> float:
    """Peak signal to noise ratio in decibels; the peak is 2, from -1 to 1."""
    return (10 * torch.log10(4 / F.mse_loss(drawn, pictures))).item()


@torch.no_grad()
def latents(network, scenes: Scenes, batch: int = 100) -> torch.Tensor:
    """Means and deviations of all latents, unscaled: (n, 8, 16, 16) in half precision."""
    parts = []
    for start in range(0, len(scenes.pictures), batch):
        pictures = scenes.batch(torch.arange(start, min(start + batch, len(scenes.pictures))))
        posterior = network.encode(pictures).latent_dist
        parts.append(torch.cat([posterior.mean, posterior.std], dim=1).half())
    return torch.cat(parts)


@torch.no_grad()
def latent_deviation(network, scenes: Scenes) -> float:
    """Standard deviation of 1000 pictures' latents."""
    posterior = network.encode(scenes.batch(torch.arange(min(1000, len(scenes.pictures))))).latent_dist
    return (posterior.mean + posterior.std * torch.randn(posterior.mean.shape, generator=chance(0, 1))).std().item()
