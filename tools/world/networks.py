"""The networks: Stable Diffusion v1's, CLIP's and DINO's classes with smaller numbers."""

from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPConfig, CLIPModel, ViTConfig, ViTModel

# Side of the pictures that CLIP and DINO take. The world's are enlarged to it, as every picture is in an evaluation.
SIDE = 224
CONTEXT = 77
WIDTH = 96


def vae() -> AutoencoderKL:
    """64 x 64 pixels to 16 x 16 latents of 4 channels."""
    widths = (16, 32, 64)
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        block_out_channels=widths,
        layers_per_block=1,
        norm_num_groups=8,
        sample_size=64,
    )


def unet() -> UNet2DConditionModel:
    """Stable Diffusion v1's blocks, so that every method finds its sites."""
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        block_out_channels=(48, 96, 96, 96),
        layers_per_block=2,
        attention_head_dim=2,
        cross_attention_dim=WIDTH,
        norm_num_groups=8,
    )


def clip(tokens: int) -> CLIPModel:
    """Both towers; the text tower becomes the base model's text encoder."""
    shared = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": 4, "num_attention_heads": 4}
    text = {"vocab_size": tokens, "max_position_embeddings": CONTEXT, "projection_dim": WIDTH}
    special = {"bos_token_id": tokens - 2, "eos_token_id": tokens - 1, "pad_token_id": tokens - 1}
    vision = {"image_size": SIDE, "patch_size": 28, "projection_dim": WIDTH}
    config = CLIPConfig(
        text_config={**shared, **text, **special},
        vision_config={**shared, **vision},
        projection_dim=WIDTH,
    )
    return CLIPModel(config)


def dino() -> ViTModel:
    """A vision transformer whose class token is the feature."""
    config = ViTConfig(
        hidden_size=128,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=SIDE,
        patch_size=32,
        layer_norm_eps=1e-6,
    )
    return ViTModel(config, add_pooling_layer=False)
