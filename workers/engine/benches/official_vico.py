"""PyTorch's side of `beside_pytorch.py`: the networks of diffusers, and ViCo as its authors' code computes it.

Target and reference are two streams through the U-Net, side by side, layer by layer; the reference is encoded anew in every
train step and in every sampling, and runs for each image and for both texts; the encoder runs for both pictures of a train
step; every activation is kept for the backward pass. Unlike the authors' code of 2023, attention is PyTorch's fused one,
which needs less time and memory, and of the text attention's map only the four sites that need it compute one.
"""

import argparse
import json
import sys
import time

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextModel

HEADS = 8
PLACEHOLDER, END = 4, 5
SITES = {(1, 1), (2, 0), (2, 2), (3, 1)}
SCALE = 0.18215
GUIDANCE = 7.5
PRECISIONS = {"f32": torch.float32, "bf16": torch.bfloat16}


def pattern(*shape: int) -> torch.Tensor:
    """Numbers in -1..1 that both sides make alike."""
    count = torch.Size(shape).numel()
    return ((torch.arange(count) * 7919 % 1000).float() / 500 - 1).view(shape)


def split(x: torch.Tensor) -> torch.Tensor:
    """(b, n, width) to (b, heads, n, d)."""
    return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head attention with the official names."""

    def __init__(self, width: int):
        super().__init__()
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.to_out = nn.Linear(width, width)

    def forward(self, x, context, mask=None):
        """`mask` (b, 1, 1, keys) says which keys take part."""
        q, k, v = split(self.to_q(x)), split(self.to_k(context)), split(self.to_v(context))
        return self.to_out(F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2))


class ImageCrossAttention(nn.Module):
    """The block that looks at the reference."""

    def __init__(self, width: int):
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.attn1, self.attn2 = Attention(width), Attention(width)
        self.ff_in, self.ff_out = nn.Linear(width, 8 * width), nn.Linear(4 * width, width)

    def forward(self, x, reference, mask):
        """(b, n, width) -> (b, n, width)."""
        normed = self.norm1(x)
        x = x + self.attn1(normed, normed)
        x = x + self.attn2(self.norm2(x), reference, mask)
        hidden, gate = self.ff_in(self.norm3(x)).chunk(2, dim=-1)
        return x + self.ff_out(hidden * F.gelu(gate))


def otsu(maps: torch.Tensor) -> torch.Tensor:
    """Which patches of (b, n) are kept."""
    low, high = maps.amin(1, keepdim=True), maps.amax(1, keepdim=True)
    normed = (maps - low) / (high - low)
    variances = []
    for tenth in range(1, 10):
        above = normed >= tenth / 10
        share = above.float().mean(1)
        mean_above = (normed * above).sum(1) / above.sum(1)
        mean_below = (normed * ~above).sum(1) / (~above).sum(1)
        variances.append((share * (1 - share) * (mean_above - mean_below) ** 2).nan_to_num(0))
    best = (torch.stack(variances).argmax(0) + 1) / 10
    return (normed >= best[:, None]) | normed.isnan()


class TwoStreams(nn.Module):
    """The U-Net with the reference beside the target."""

    def __init__(self, unet: UNet2DConditionModel):
        super().__init__()
        self.unet = unet
        widths = {1: 1280, 2: 640, 3: 320}
        self.blocks = nn.ModuleDict({f"{b}{a}": ImageCrossAttention(widths[b]) for b, a in sorted(SITES)})

    def transformer(self, module, x, context, wants_map):
        """Everything of a transformer but its way out, and the maps of two text columns."""
        b, width, h, w = x.shape
        tokens = module.proj_in(module.norm(x)).flatten(2).transpose(1, 2)
        block, columns = module.transformer_blocks[0], None
        normed = block.norm1(tokens)
        tokens = tokens + block.attn1(normed)
        normed = block.norm2(tokens)
        if wants_map:
            q, k = split(block.attn2.to_q(normed)), split(block.attn2.to_k(context))
            maps = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1).mean(1)
            columns = maps[:, :, PLACEHOLDER], maps[:, :, END]
        tokens = tokens + block.attn2(normed, encoder_hidden_states=context)
        return tokens + block.ff(block.norm3(tokens)), columns

    def attend(self, module, site, streams, context):
        """Both streams through a transformer; the regulariser where there is one."""
        (x, r), loss = streams, 0.0
        tokens, _ = self.transformer(module, x, context, False)
        reference, columns = self.transformer(module, r, context, site in SITES)
        if columns is not None:
            p, e = columns
            mask = otsu(p.detach())[:, None, None, :]
            tokens = self.blocks["%d%d" % site](tokens, reference, mask)
            e = e.detach()
            loss = ((p / p.amax(1, keepdim=True) - e / e.amax(1, keepdim=True)) ** 2).mean(1)
        out = lambda tokens, x: x + module.proj_out(tokens.transpose(1, 2).reshape(x.shape))
        return [out(tokens, x), out(reference, r)], loss

    def forward(self, x, reference, timestep, context):
        """The predicted noise of the target, and the regulariser."""
        unet, loss = self.unet, 0.0
        emb = unet.time_embedding(unet.time_proj(torch.full((len(x),), timestep)))
        streams = [unet.conv_in(x), unet.conv_in(reference)]
        skips = [streams]
        for block in unet.down_blocks:
            attentions = getattr(block, "attentions", [None] * len(block.resnets))
            for resnet, attention in zip(block.resnets, attentions):
                streams = [resnet(s, emb) for s in streams]
                if attention is not None:
                    streams, _ = self.attend(attention, None, streams, context)
                skips.append(streams)
            for downsampler in block.downsamplers or []:
                streams = [downsampler(s) for s in streams]
                skips.append(streams)
        streams = [unet.mid_block.resnets[0](s, emb) for s in streams]
        streams, _ = self.attend(unet.mid_block.attentions[0], None, streams, context)
        streams = [unet.mid_block.resnets[1](s, emb) for s in streams]
        for b, block in enumerate(unet.up_blocks):
            attentions = getattr(block, "attentions", [None] * len(block.resnets))
            for a, (resnet, attention) in enumerate(zip(block.resnets, attentions)):
                streams = [resnet(torch.cat([s, skip], 1), emb) for s, skip in zip(streams, skips.pop())]
                if attention is not None:
                    streams, more = self.attend(attention, (b, a), streams, context)
                    loss = loss + more
            for upsampler in block.upsamplers or []:
                streams = [upsampler(s) for s in streams]
        return unet.conv_out(unet.conv_act(unet.conv_norm_out(streams[0]))), loss


class Peer:
    """The calls."""

    def __init__(self, folder: str, size: int, precision: torch.dtype):
        self.size, self.edge, self.precision = size, size // 8, precision
        self.images = self.steps = 1
        self.unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet").eval().requires_grad_(False)
        self.unet.to(precision)
        self.vae = AutoencoderKL.from_pretrained(folder, subfolder="vae").eval().requires_grad_(False)
        self.text = CLIPTextModel.from_pretrained(folder, subfolder="text_encoder").eval().requires_grad_(False)
        self.streams = TwoStreams(self.unet)
        self.embedding = nn.Parameter(torch.randn(1, 768) * 0.02)
        groups = [{"params": [self.embedding], "lr": 5e-3}, {"params": self.streams.blocks.parameters(), "lr": 1e-5}]
        self.optimiser = torch.optim.AdamW(groups)

    def context(self, ids: torch.Tensor, placed: bool) -> torch.Tensor:
        """The text encoder's output with S* in place of the placeholder's embedding."""
        module = self.text.get_input_embeddings()
        replace = lambda _m, _i, out: torch.cat([out[:, :PLACEHOLDER], self.embedding[None], out[:, PLACEHOLDER + 1 :]], 1)
        hook = module.register_forward_hook(replace) if placed else None
        states = self.text(ids).last_hidden_state
        if hook:
            hook.remove()
        return states

    def ids(self, *words: int) -> torch.Tensor:
        """A prompt of 77 tokens."""
        return torch.tensor([[49406, *words] + [49407] * (76 - len(words))])

    def unet_(self):
        """One forward pass."""
        with torch.inference_mode():
            latent, context = pattern(1, 4, self.edge, self.edge), pattern(1, 77, 768)
            noise = self.unet(latent.to(self.precision), 500, context.to(self.precision)).sample
            return noise.flatten()[0].item()

    def vae_encode(self):
        """One picture."""
        with torch.inference_mode():
            return self.vae.encode(pattern(1, 3, self.size, self.size)).latent_dist.mean.flatten()[0].item()

    def vae_decode(self):
        """One latent."""
        with torch.inference_mode():
            return self.vae.decode(pattern(1, 4, self.edge, self.edge) / SCALE).sample.flatten()[0].item()

    def encode(self, rows: int) -> torch.Tensor:
        """A posterior sample of the same picture for each row."""
        picture = pattern(1, 3, self.size, self.size)
        with torch.no_grad():
            return (self.vae.encode(picture).latent_dist.sample() * SCALE).repeat(rows, 1, 1, 1)

    def train(self):
        """One step: both pictures, the forward and the backward pass, AdamW."""
        clean, reference = self.encode(1), self.encode(1)
        noise = torch.randn_like(clean)
        context = self.context(self.ids(320, 1125, 539, 265), True)
        predicted, regulariser = self.streams(0.5 * clean + 0.86 * noise, reference, 500, context)
        (F.mse_loss(predicted, noise) + 5e-4 * regulariser.mean()).backward()
        self.optimiser.step()
        self.optimiser.zero_grad()

    def sample(self):
        """Some denoise steps of some images, four at a time as the official script's default groups them."""
        with torch.no_grad():
            context = torch.cat([self.context(self.ids(), False), self.context(self.ids(320, 1125, 539, 265), True)])
            for start in range(0, self.images, 4):
                count = min(4, self.images - start)
                latents, reference = torch.randn(count, 4, self.edge, self.edge), self.encode(2 * count)
                both = context.repeat_interleave(count, 0)
                for _ in range(self.steps):
                    noise, _ = self.streams(torch.cat([latents, latents]), reference, 981, both)
                    unconditional, conditional = noise.chunk(2)
                    latents = latents - 0.1 * (unconditional + GUIDANCE * (conditional - unconditional))
                for row in range(count):
                    self.vae.decode(latents[row : row + 1] / SCALE)


def main() -> None:
    """Answers calls until the input ends."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--dir", required=True)
    for name in ("size", "threads", "images", "steps"):
        options.add_argument(f"--{name}", type=int, required=True)
    options.add_argument("--precision", choices=PRECISIONS, required=True)
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    peer = Peer(given.dir, given.size, PRECISIONS[given.precision])
    peer.images, peer.steps = given.images, given.steps
    print("ready", flush=True)
    for call in sys.stdin:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as refs:
            refs.write("5")  # sets the peak back to what is resident now
        wall, cpu = time.perf_counter(), time.process_time()
        first = getattr(peer, call.strip().replace("unet", "unet_"))()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        with open("/proc/self/status", encoding="ascii") as status:
            peak = next(int(row.split()[1]) << 10 for row in status if row.startswith("VmHWM"))
        print(json.dumps({"wall": wall, "cpu": cpu, "peak": peak, "first": first}), flush=True)


main()
