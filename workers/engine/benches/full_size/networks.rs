//! The tensors of Stable Diffusion v1 as published: names of diffusers and transformers, sizes of vico-spec §1.1.
//!
//! Written down independently of the engine's loaders, which refuse a file with a tensor too many or too few.

use crate::tensors::Tensors;

/// Width of the text context.
const CONTEXT: usize = 768;
/// Width of each U-Net level, from the finest.
const UNET: [usize; 4] = [320, 640, 1280, 1280];
/// Width of the timestep embedding.
const TIME: usize = 1280;
/// Width of each VAE level, from the finest.
const VAE: [usize; 4] = [128, 256, 512, 512];
/// Channels of a latent.
const LATENT: usize = 4;

/// `CLIPTextModel` of `openai/clip-vit-large-patch14`.
pub(crate) fn text_encoder() -> Tensors {
    let mut t = Tensors::default();
    t.embeddings("text_model.embeddings.token_embedding", 49_408, CONTEXT);
    t.embeddings("text_model.embeddings.position_embedding", 77, CONTEXT);
    for layer in 0..12 {
        let at = format!("text_model.encoder.layers.{layer}");
        for projection in ["q_proj", "k_proj", "v_proj", "out_proj"] {
            t.linear(&format!("{at}.self_attn.{projection}"), CONTEXT, CONTEXT);
        }
        t.norm(&format!("{at}.layer_norm1"), CONTEXT);
        t.norm(&format!("{at}.layer_norm2"), CONTEXT);
        t.linear(&format!("{at}.mlp.fc1"), CONTEXT, 4 * CONTEXT);
        t.linear(&format!("{at}.mlp.fc2"), 4 * CONTEXT, CONTEXT);
    }
    t.norm("text_model.final_layer_norm", CONTEXT);
    t
}

/// `UNet2DConditionModel`.
pub(crate) fn unet() -> Tensors {
    let mut t = Tensors::default();
    t.linear("time_embedding.linear_1", UNET[0], TIME);
    t.linear("time_embedding.linear_2", TIME, TIME);
    t.conv("conv_in", LATENT, UNET[0], 3);
    let mut width = UNET[0];
    let mut skips = vec![width];
    for (level, &outputs) in UNET.iter().enumerate() {
        let at = format!("down_blocks.{level}");
        for layer in 0..2 {
            unet_layer(&mut t, &at, layer, (width, outputs), level < 3);
            width = outputs;
            skips.push(width);
        }
        if level < 3 {
            t.conv(&format!("{at}.downsamplers.0.conv"), width, width, 3);
            skips.push(width);
        }
    }
    unet_layer(&mut t, "mid_block", 0, (width, width), true);
    unet_layer(&mut t, "mid_block", 1, (width, width), false);
    for (block, &outputs) in UNET.iter().rev().enumerate() {
        let at = format!("up_blocks.{block}");
        for layer in 0..3 {
            let inputs = width + skips.pop().unwrap_or(0);
            unet_layer(&mut t, &at, layer, (inputs, outputs), block > 0);
            width = outputs;
        }
        if block < 3 {
            t.conv(&format!("{at}.upsamplers.0.conv"), width, width, 3);
        }
    }
    t.norm("conv_norm_out", UNET[0]);
    t.conv("conv_out", UNET[0], LATENT, 3);
    t
}

fn unet_layer(t: &mut Tensors, at: &str, layer: usize, (inputs, outputs): (usize, usize), attends: bool) {
    let resnet = format!("{at}.resnets.{layer}");
    res_block(t, &resnet, inputs, outputs);
    t.linear(&format!("{resnet}.time_emb_proj"), TIME, outputs);
    if attends {
        transformer(t, &format!("{at}.attentions.{layer}"), outputs);
    }
}

fn transformer(t: &mut Tensors, at: &str, width: usize) {
    t.norm(&format!("{at}.norm"), width);
    t.conv(&format!("{at}.proj_in"), width, width, 1);
    t.conv(&format!("{at}.proj_out"), width, width, 1);
    let block = format!("{at}.transformer_blocks.0");
    for (attention, context) in [("attn1", width), ("attn2", CONTEXT)] {
        let at = format!("{block}.{attention}");
        t.unbiased(&format!("{at}.to_q"), width, width);
        t.unbiased(&format!("{at}.to_k"), context, width);
        t.unbiased(&format!("{at}.to_v"), context, width);
        t.linear(&format!("{at}.to_out.0"), width, width);
    }
    for norm in ["norm1", "norm2", "norm3"] {
        t.norm(&format!("{block}.{norm}"), width);
    }
    t.linear(&format!("{block}.ff.net.0.proj"), width, 8 * width);
    t.linear(&format!("{block}.ff.net.2"), 4 * width, width);
}

/// `AutoencoderKL`.
pub(crate) fn vae() -> Tensors {
    let mut t = Tensors::default();
    vae_encoder(&mut t);
    t.conv("quant_conv", 2 * LATENT, 2 * LATENT, 1);
    t.conv("post_quant_conv", LATENT, LATENT, 1);
    vae_decoder(&mut t);
    t
}

fn vae_encoder(t: &mut Tensors) {
    t.conv("encoder.conv_in", 3, VAE[0], 3);
    let mut width = VAE[0];
    for (level, &outputs) in VAE.iter().enumerate() {
        let at = format!("encoder.down_blocks.{level}");
        for layer in 0..2 {
            res_block(t, &format!("{at}.resnets.{layer}"), width, outputs);
            width = outputs;
        }
        if level < 3 {
            t.conv(&format!("{at}.downsamplers.0.conv"), width, width, 3);
        }
    }
    vae_middle(t, "encoder.mid_block", width);
    t.norm("encoder.conv_norm_out", width);
    t.conv("encoder.conv_out", width, 2 * LATENT, 3);
}

fn vae_decoder(t: &mut Tensors) {
    let mut width = VAE[3];
    t.conv("decoder.conv_in", LATENT, width, 3);
    vae_middle(t, "decoder.mid_block", width);
    for (block, &outputs) in VAE.iter().rev().enumerate() {
        let at = format!("decoder.up_blocks.{block}");
        for layer in 0..3 {
            res_block(t, &format!("{at}.resnets.{layer}"), width, outputs);
            width = outputs;
        }
        if block < 3 {
            t.conv(&format!("{at}.upsamplers.0.conv"), width, width, 3);
        }
    }
    t.norm("decoder.conv_norm_out", width);
    t.conv("decoder.conv_out", width, 3, 3);
}

fn vae_middle(t: &mut Tensors, at: &str, width: usize) {
    res_block(t, &format!("{at}.resnets.0"), width, width);
    res_block(t, &format!("{at}.resnets.1"), width, width);
    let attention = format!("{at}.attentions.0");
    t.norm(&format!("{attention}.group_norm"), width);
    for projection in ["to_q", "to_k", "to_v", "to_out.0"] {
        t.linear(&format!("{attention}.{projection}"), width, width);
    }
}

fn res_block(t: &mut Tensors, at: &str, inputs: usize, outputs: usize) {
    t.norm(&format!("{at}.norm1"), inputs);
    t.conv(&format!("{at}.conv1"), inputs, outputs, 3);
    t.norm(&format!("{at}.norm2"), outputs);
    t.conv(&format!("{at}.conv2"), outputs, outputs, 3);
    if inputs != outputs {
        t.conv(&format!("{at}.conv_shortcut"), inputs, outputs, 1);
    }
}
