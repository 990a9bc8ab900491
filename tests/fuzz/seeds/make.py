"""Makes the seeds: small files as other programs write them. Needs torch and safetensors."""

from pathlib import Path

import torch
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
WORD = torch.arange(4, dtype=torch.float32)


def pickles() -> None:
    """Adapters of the original programs, in both containers that torch has had."""
    textual_inversion = {"string_to_token": {"*": torch.tensor(265)}, "string_to_param": torch.nn.ParameterDict({"*": WORD[None]})}
    a1111 = {"string_to_param": {"*": WORD[None].half()}, "name": "duck", "step": 3, "sd_checkpoint": None}
    vico = {"image_cross_attention.0.to_q.weight": torch.ones(2, 2, dtype=torch.bfloat16)}
    for name, content in {"compvis": textual_inversion, "a1111": a1111, "vico": vico}.items():
        torch.save(content, HERE / "pickle" / f"{name}.pt")
    # The old container has room for the source of classes, so only what needs none.
    for name, content in {"a1111": a1111, "vico": vico}.items():
        torch.save(content, HERE / "pickle" / f"{name}.legacy.pt", _use_new_zipfile_serialization=False)


def safetensors() -> None:
    """A tensor of every width that is read."""
    tensors = {"a": WORD[:2].clone(), "b": WORD[:3].half(), "c": WORD.bfloat16(), "d": WORD.double(), "e": WORD.long()}
    save_file(tensors, HERE / "safetensors" / "model.safetensors", {"format": "pt"})


pickles()
safetensors()
