"""Writes networks as half precision in the published layouts."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from tokens import BEGIN, END

SCHEDULER = {
    "_class_name": "PNDMScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
}
INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "feature_extractor": [None, None],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "PNDMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def write_json(path: Path, value: dict) -> None:
    """Indented JSON; makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def weights(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Half precision; row-major copies, so that nothing shares memory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    halves = {name: tensor.detach().half().contiguous().clone() for name, tensor in tensors.items()}
    save_file(halves, path, metadata={"format": "pt"})


def diffusers_network(network, folder: Path) -> None:
    """A diffusers model with its configuration."""
    config = {key: value for key, value in network.config.items() if key != "_use_default_values"}
    write_json(folder / "config.json", {"_class_name": type(network).__name__, **config})
    weights(folder / "diffusion_pytorch_model.safetensors", network.state_dict())


def transformers_network(network, folder: Path) -> None:
    """A transformers model with its configuration; the library's own writer knows the published names."""
    network.half().save_pretrained(folder)


def text_encoder(tower, folder: Path, settings) -> None:
    """A text tower under the names of Stable Diffusion v1, which newer versions of the library no longer write."""
    config = json.loads(settings.to_json_string(use_diff=False))
    write_json(folder / "config.json", {**config, "architectures": ["CLIPTextModel"]})
    weights(folder / "model.safetensors", {f"text_model.{name}": value for name, value in tower.state_dict().items()})


def scheduler_and_index(base: Path) -> None:
    """The small files beside the networks."""
    write_json(base / "scheduler/scheduler_config.json", SCHEDULER)
    write_json(base / "model_index.json", INDEX)
    write_json(
        base / "tokenizer/special_tokens_map.json",
        {"bos_token": BEGIN, "eos_token": END, "unk_token": END, "pad_token": END},
    )
