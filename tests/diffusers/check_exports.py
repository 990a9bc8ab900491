"""Exports, judged by the libraries that people load them with.

    check_exports.py check FOLDER    loads FOLDER/out/METHOD/FORMAT and compares it with FOLDER/adapters/METHOD.safetensors
    check_exports.py make FOLDER     writes the same adapters to FOLDER/made/METHOD/FORMAT as those libraries write them

FOLDER/model is the base model. Every comparison is to the last bit. Needs torch, diffusers, transformers and peft.
"""

import json
import sys
import warnings
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from diffusers.models.attention_processor import CustomDiffusionAttnProcessor
from diffusers.utils import logging
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file, save_file

warnings.filterwarnings("ignore")
logging.set_verbosity_error()

FOLDER = Path(sys.argv[2])
OUT, MADE = FOLDER / "out", FOLDER / "made"
# diffusers refuses a word that is a token already, as `*` is.
TOKEN = "<toy>"


def adapter(method):
    """An adapter's tensors and the facts in its header."""
    path = FOLDER / "adapters" / f"{method}.safetensors"
    with safe_open(path, "pt") as file:
        return load_file(path), file.metadata()


def pipeline(folder=FOLDER / "model"):
    return StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, torch_dtype=torch.float32)


def unprefixed(tensors, prefix="unet."):
    return {name[len(prefix):]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def word(tensors):
    [table] = [tensor for name, tensor in tensors.items() if name.startswith("string_to_param.")]
    return table


def same(one, other):
    """Equal bits, so that −0 and subnormals count."""
    return one.shape == other.shape and torch.equal(one.float().view(torch.int32), other.float().view(torch.int32))


def compare(what, found, expected):
    found, expected = dict(found), dict(expected)
    assert found.keys() == expected.keys(), f"{what}: {sorted(found.keys() ^ expected.keys())[:4]}"
    for name in expected:
        assert same(found[name].detach(), expected[name]), f"{what}: {name} differs"
    print(f"ok  {what}: {len(expected)} tensors")


def only(folder, pattern):
    [path] = sorted(folder.glob(pattern))
    return path


def learned_rows(pipe, token, count):
    """The vectors that a pipeline has for a word of `count` vectors."""
    names = [token] + [f"{token}_{i}" for i in range(1, count)]
    ids = pipe.tokenizer.convert_tokens_to_ids(names)
    return pipe.text_encoder.get_input_embeddings().weight[ids].detach()


def check_word(what, table, load, token):
    pipe = pipeline()
    load(pipe)
    compare(what, {"word": learned_rows(pipe, token, table.shape[0])}, {"word": table})


def check_textual_inversion():
    table = word(adapter("textual_inversion")[0])
    folder = OUT / "textual_inversion"
    check_word(
        "textual_inversion diffusers, load_textual_inversion with token=",
        table, lambda pipe: pipe.load_textual_inversion(folder / "diffusers", token=TOKEN), TOKEN,
    )
    check_word(
        "textual_inversion diffusers under another word, load_textual_inversion",
        table, lambda pipe: pipe.load_textual_inversion(folder / "renamed"), TOKEN,
    )
    name = only(folder / "a1111", "*.safetensors").name
    check_word(
        "textual_inversion a1111, load_textual_inversion with token=",
        table, lambda pipe: pipe.load_textual_inversion(folder / "a1111", weight_name=name, token=TOKEN), TOKEN,
    )
    check_embeddings("textual_inversion compvis", folder / "compvis", table)


class EmbeddingManager(torch.nn.Module):
    """As in the official `embedding_manager.py`, which takes a module and nothing else for its parameters."""

    def __init__(self):
        super().__init__()
        self.string_to_token_dict = {}
        self.string_to_param_dict = torch.nn.ParameterDict()

    def load(self, path):
        with torch.serialization.safe_globals([torch.nn.ParameterDict]):
            ckpt = torch.load(path, map_location="cpu", weights_only=True)
        self.string_to_token_dict = ckpt["string_to_token"]
        self.string_to_param_dict = ckpt["string_to_param"]


def check_embeddings(what, folder, table):
    manager = EmbeddingManager()
    manager.load(only(folder, "embeddings*.pt"))
    [(placeholder, token)] = manager.string_to_token_dict.items()
    expected = pipeline().tokenizer(placeholder, add_special_tokens=False).input_ids
    assert [token.to("cpu").item()] == expected and token.shape == (), f"{what}: {token} is not {expected}"
    assert list(manager.string_to_param_dict.keys()) == [placeholder]
    assert len(list(manager.parameters())) == 1 and len(manager.state_dict()) == 1
    compare(f"{what}, EmbeddingManager.load", manager.to("cpu").string_to_param_dict.items(), {placeholder: table})


def check_vico():
    tensors, _ = adapter("vico")
    attention = {name: tensor for name, tensor in tensors.items() if "image_cross_attention" in name}
    for form in ("compvis", "vico-official"):
        folder = OUT / "vico" / form
        check_embeddings(f"vico {form}", folder, word(tensors))
        loaded = torch.load(only(folder, "cross_attention*.pt"), weights_only=True)
        compare(f"vico {form}, torch.load(weights_only=True)", loaded, attention)


def check_custom_diffusion():
    tensors, _ = adapter("custom_diffusion")
    expected = unprefixed(tensors)
    folder = OUT / "custom_diffusion"

    pipe = pipeline()
    # Without `_pipeline` diffusers 0.42 reads the file and sets nothing.
    pipe.unet.load_attn_procs(
        folder / "renamed", weight_name="pytorch_custom_diffusion_weights.safetensors", _pipeline=pipe
    )
    processors = pipe.unet.attn_processors
    assert all(isinstance(processor, CustomDiffusionAttnProcessor) for processor in processors.values())
    found = {}
    for name, processor in processors.items():
        for key, tensor in processor.state_dict().items():
            found[f"{name}.{key}".replace("processor.", "").replace("_custom_diffusion", "")] = tensor
    compare("custom_diffusion diffusers, load_attn_procs", found, expected)
    pipe.load_textual_inversion(folder / "renamed", weight_name=f"{TOKEN}.safetensors")
    compare("custom_diffusion diffusers, load_textual_inversion", {"word": learned_rows(pipe, TOKEN, 1)}, {"word": word(tensors)})
    assert pipe(f"a {TOKEN} dog", num_inference_steps=1, height=128, width=128, output_type="np").images.shape == (1, 128, 128, 3)

    delta = torch.load(only(folder / "adobe-delta", "delta.bin"), weights_only=True)
    trained = {n: p for n, p in pipeline().unet.named_parameters() if "attn2.to_k" in n or "attn2.to_v" in n}
    assert trained.keys() == delta["unet"].keys()
    compare("custom_diffusion adobe-delta, torch.load(weights_only=True)", delta["unet"], expected)
    compare("custom_diffusion adobe-delta, its word", delta["modifier_token"], {"*": word(tensors)[0]})

    state = torch.load(only(folder / "compvis", "delta.ckpt"), weights_only=True)["state_dict"]
    embed = state.pop("embed").reshape(-1, word(tensors).shape[1])
    compare("custom_diffusion compvis, its word", {"embed": embed}, {"embed": word(tensors)})
    compare("custom_diffusion compvis, torch.load(weights_only=True)", {from_compvis(n): t for n, t in state.items()}, expected)


def from_compvis(name):
    """The original numbering: three blocks a level, the first input block is a convolution."""
    parts = name.removeprefix("model.diffusion_model.").split(".")
    if parts[0] == "middle_block":
        return ".".join(["mid_block", "attentions", "0"] + parts[2:])
    number = int(parts[1])
    if parts[0] == "input_blocks":
        place = ["down_blocks", str((number - 1) // 3), "attentions", str((number - 1) % 3)]
    else:
        place = ["up_blocks", str(number // 3), "attentions", str(number % 3)]
    return ".".join(place + parts[3:])


def check_lora():
    tensors, facts = adapter("lora")
    scale = float(facts["vico.lora_alpha"]) / float(facts["vico.lora_rank"])
    assert scale != 1.0, "a scale of one would hide that it was lost"
    for form, name in (("diffusers", "pytorch_lora_weights.safetensors"), ("kohya", "lora.safetensors")):
        pipe = pipeline()
        pipe.load_lora_weights(OUT / "lora" / form, weight_name=name, adapter_name="default")
        state = get_peft_model_state_dict(pipe.unet, adapter_name="default")
        compare(f"lora {form}, load_lora_weights", state, unprefixed(tensors))
        scales = {m.scaling["default"] for m in pipe.unet.modules() if hasattr(m, "scaling")}
        assert scales == {scale}, f"lora {form}: scales {scales}, expected {scale}"


def check_dreambooth():
    tensors, _ = adapter("dreambooth")
    base, trained = pipeline(), pipeline(OUT / "dreambooth" / "diffusers")
    for network in ("unet", "text_encoder"):
        difference = unprefixed(tensors, f"{network}.")
        before, after = (getattr(pipe, network).state_dict() for pipe in (base, trained))
        before, after = aligned(before, difference), aligned(after, difference)
        expected = {name: before[name] + difference[name] for name in difference}
        compare(f"dreambooth diffusers, from_pretrained, {network}", {n: after[n] for n in difference}, expected)


def aligned(state, names):
    """transformers 5 dropped the prefix that its files keep."""
    if any(name in state for name in names):
        return state
    return {f"text_model.{name}": tensor for name, tensor in state.items()}


def make_embeddings(folder, table, steps, old=False):
    folder.mkdir(parents=True, exist_ok=True)
    token = pipeline().tokenizer("*", add_special_tokens=False, return_tensors="pt").input_ids[0, 0]
    parameters = torch.nn.ParameterDict({"*": torch.nn.Parameter(table)})
    if old:
        # PyTorch 1.10, which the published files were written with, has no such attribute.
        del parameters.__dict__["_keys"]
    torch.save({"string_to_token": {"*": token}, "string_to_param": parameters}, folder / f"embeddings_gs-{steps - 1}.pt")


def make_textual_inversion():
    tensors, facts = adapter("textual_inversion")
    table, steps, folder = word(tensors), int(facts["vico.steps"]), MADE / "textual_inversion"
    for form in ("diffusers", "a1111"):
        (folder / form).mkdir(parents=True)
    torch.save({"*": table}, folder / "diffusers" / "learned_embeds.bin")
    embedding = {
        "string_to_token": {"*": 265}, "string_to_param": {"*": table}, "name": "*", "step": steps,
        "sd_checkpoint": None, "sd_checkpoint_name": None,
    }
    torch.save(embedding, folder / "a1111" / "toy.pt")
    make_embeddings(folder / "compvis", table, steps)


def make_vico():
    tensors, facts = adapter("vico")
    steps = int(facts["vico.steps"])
    attention = {name: tensor for name, tensor in tensors.items() if "image_cross_attention" in name}
    make_embeddings(MADE / "vico" / "vico-official", word(tensors), steps, old=True)
    torch.save(attention, MADE / "vico" / "vico-official" / f"cross_attention-{steps - 1}.pt")


def make_custom_diffusion():
    tensors, _ = adapter("custom_diffusion")
    expected, folder = unprefixed(tensors), MADE / "custom_diffusion"
    for form in ("diffusers", "bin", "adobe-delta"):
        (folder / form).mkdir(parents=True)
    unet = pipeline().unet
    processors = {}
    for name in unet.attn_processors:
        layer = name.removesuffix(".processor")
        weights = {f"{key}_custom_diffusion.weight": expected.get(f"{layer}.{key}.weight") for key in ("to_k", "to_v")}
        if None in weights.values():
            processors[name] = CustomDiffusionAttnProcessor(train_kv=False, train_q_out=False)
        else:
            hidden, cross = weights["to_k_custom_diffusion.weight"].shape
            processors[name] = CustomDiffusionAttnProcessor(
                train_kv=True, train_q_out=False, hidden_size=hidden, cross_attention_dim=cross
            )
            processors[name].load_state_dict(weights)
    unet.set_attn_processor(processors)
    unet.save_attn_procs(folder / "diffusers", safe_serialization=True)
    unet.save_attn_procs(folder / "bin", safe_serialization=False)
    vector = word(tensors)[0]
    save_file({"*": vector}, folder / "diffusers" / "word.safetensors", metadata={"format": "pt"})
    torch.save({"*": vector}, folder / "bin" / "word.bin")
    # Clones of parameters, as the official code saves them: tensors that still require gradients.
    unet = pipeline().unet
    unet.load_state_dict(expected, strict=False)
    delta = {n: p.cpu().clone() for n, p in unet.named_parameters() if "attn2.to_k" in n or "attn2.to_v" in n}
    torch.save({"unet": delta, "modifier_token": {"*": vector}}, folder / "adobe-delta" / "delta.bin")


def make_lora():
    tensors, facts = adapter("lora")
    rank, alpha = int(facts["vico.lora_rank"]), float(facts["vico.lora_alpha"])
    unet = pipeline().unet
    expected = unprefixed(tensors)
    targets = sorted({name.split(".lora_")[0] for name in expected})
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets))
    set_peft_model_state_dict(unet, expected)
    StableDiffusionPipeline.save_lora_weights(
        MADE / "lora" / "diffusers",
        unet_lora_layers=get_peft_model_state_dict(unet),
        unet_lora_adapter_metadata=unet.peft_config["default"].to_dict(),
    )
    kohya = {}
    for name, tensor in expected.items():
        layer, part = name.split(".lora_")
        layer = "lora_unet_" + layer.replace(".", "_")
        kohya[f"{layer}.lora_{'down' if part.startswith('A') else 'up'}.weight"] = tensor
        kohya[f"{layer}.alpha"] = torch.tensor(alpha)
    (MADE / "lora" / "kohya").mkdir(parents=True)
    save_file(kohya, MADE / "lora" / "kohya" / "toy.safetensors")


def make_dreambooth():
    pipeline(OUT / "dreambooth" / "diffusers").save_pretrained(MADE / "dreambooth" / "diffusers")


METHODS = ("textual_inversion", "vico", "custom_diffusion", "lora", "dreambooth")

if __name__ == "__main__":
    import diffusers, peft, transformers

    versions = {module.__name__: module.__version__ for module in (torch, diffusers, transformers, peft)}
    print(json.dumps(versions))
    for method in METHODS:
        globals()[f"{sys.argv[1]}_{method}"]()
