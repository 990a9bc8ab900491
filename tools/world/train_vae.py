"""The picture autoencoder."""

from pathlib import Path

import torch
from torch.nn import functional as F

import loop
import networks
from scenes import Scenes, chance

# Small batches: the same pictures in twice the steps give a far better network.
PLAN = loop.Plan(steps=5000, rate=1.5e-3)
BATCH = 16
# How much more the most saturated pixels count. Without it the network learns every cobblestone and loses things.
SATURATED = 4.0
# Weight of the latent's divergence from a unit Gaussian, per element: keeps latents smooth for the diffusion.
DIVERGENCE = 1e-3


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
        wrong = (drawn - pictures).abs()
        errors = (emphasis(pictures) * (wrong + wrong.square())).mean()
        return errors + DIVERGENCE * divergence(posterior), {"psnr": psnr(drawn, pictures)}

    trained = loop.train(network, loss, plan, checkpoint)
    trained.register_to_config(scaling_factor=1 / latent_deviation(trained, scenes))
    return trained


def emphasis(pictures: torch.Tensor) -> torch.Tensor:
    """Weights (b, 1, h, w): things are saturated, places are not."""
    return 1 + SATURATED * saturation(pictures).square()


def saturation(pictures: torch.Tensor) -> torch.Tensor:
    """From 0 to 1, (b, 1, h, w)."""
    return (pictures.amax(dim=1, keepdim=True) - pictures.amin(dim=1, keepdim=True)) / 2


def divergence(posterior) -> torch.Tensor:
    """From a unit Gaussian, mean over latent elements, in nats."""
    mean, log_variance = posterior.mean.float(), posterior.logvar.float()
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean()


def psnr(drawn: torch.Tensor, pictures: torch.Tensor) -> float:
    """Peak signal to noise ratio in decibels; the peak is 2, from -1 to 1."""
    return (10 * torch.log10(4 / F.mse_loss(drawn, pictures))).item()


@torch.no_grad()
def latents(network, scenes: Scenes, batch: int = 100) -> torch.Tensor:
    """Means and deviations of all latents, unscaled, and from 0 to 1 where things are: (n, 9, 16, 16) in half precision."""
    parts = []
    for start in range(0, len(scenes.pictures), batch):
        pictures = scenes.batch(torch.arange(start, min(start + batch, len(scenes.pictures))))
        posterior = network.encode(pictures).latent_dist
        things = F.max_pool2d(2 * saturation(pictures).square(), 4).clamp(max=1)
        parts.append(torch.cat([posterior.mean, posterior.std, things], dim=1).half())
    return torch.cat(parts)


@torch.no_grad()
def latent_deviation(network, scenes: Scenes) -> float:
    """Standard deviation of 1000 pictures' latents."""
    posterior = network.encode(scenes.batch(torch.arange(min(1000, len(scenes.pictures))))).latent_dist
    return (posterior.mean + posterior.std * torch.randn(posterior.mean.shape, generator=chance(0, 1))).std().item()
