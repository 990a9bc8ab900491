"""How the evaluation networks see a picture: enlarged and normalised as the published protocols do."""

import torch
from torch.nn import functional as F

CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def enlarged(pictures: torch.Tensor, side: int) -> torch.Tensor:
    """(b, 3, h, w) to (b, 3, side, side), by the same cubic as Pillow."""
    return F.interpolate(pictures, (side, side), mode="bicubic", antialias=True).clamp(-1, 1)


def normalised(pictures: torch.Tensor, norm: tuple) -> torch.Tensor:
    """From [-1, 1] to a published mean and deviation per channel."""
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in norm)
    return ((pictures + 1) / 2 - mean) / deviation


def for_clip(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures from -1 to 1 as (b, 3, 224, 224)."""
    return normalised(enlarged(pictures, 224), CLIP)


def for_dino(pictures: torch.Tensor) -> torch.Tensor:
    """The middle of the enlarged picture, ImageNet's numbers: (b, 3, 224, 224)."""
    return normalised(enlarged(pictures, 256)[:, :, 16:240, 16:240], IMAGENET)


def for_dino_squeezed(pictures: torch.Tensor) -> torch.Tensor:
    """The whole picture from -1 to 1, as the ViCo lineage has it: (b, 3, 256, 256)."""
    return enlarged(pictures, 256)
