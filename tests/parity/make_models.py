"""Makes golden/CONFIG: model (or its rule), batch, logits, loss and every gradient, without and with LoRA and NF4."""

import hashlib
import shutil

import common  # first: it switches torch.compile off
from common import CONFIGS, GOLDEN, LINEARS

import bitsandbytes.functional as bnb
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from make_nf4 import check_tail

LENGTHS = {"headwidth100": (23, 37), "grouped-tied": (19, 45)}
SAMPLES = {"headwidth100": 4096, "grouped-tied": 1 << 62}


def write_config(folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    config = CONFIGS[name]
    config.architectures = ["LlamaForCausalLM"]
    config.dtype = "bfloat16"
    config.save_pretrained(folder)


def adapted(network, dtype, rank=4, alpha=8, state=None):
    """The network with a PEFT adapter on all linears; `state` gives A and B, otherwise PEFT's own start."""
    lora = get_peft_model(network, LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=0.0, target_modules=LINEARS, bias="none", task_type="CAUSAL_LM"))
    lora = lora.to(dtype)
    if state:
        own = dict(lora.named_parameters())
        with torch.no_grad():
            for key, value in state.items():
                own[key.replace(".weight", ".default.weight")].copy_(value.to(dtype))
    return lora


def file_keys(tensors):
    return {name.replace(".default.weight", ".weight"): t for name, t in tensors.items()}


def write_adapter(folder, name):
    """A PEFT folder whose B is not zero, f32."""
    torch.manual_seed(20260102)
    lora = adapted(common.model(name, torch.float32), torch.float32)
    random = torch.Generator().manual_seed(20260103)
    with torch.no_grad():
        for key, parameter in lora.named_parameters():
            if "lora_B" in key:
                parameter.copy_(0.05 * torch.randn(parameter.shape, generator=random))
    shutil.rmtree(folder, ignore_errors=True)
    lora.save_pretrained(folder)
    common.tidy_adapter(folder)
    return load_file(folder / "adapter_model.safetensors")


def canonical(parameters):
    """(parameters with each linear replaced by its canonical NF4 values, bnb's packed codes and states by name)."""
    values, states = {}, {}
    for key, weight in parameters.items():
        if any(p in key for p in LINEARS):
            packed, state = bnb.quantize_4bit(weight.bfloat16(), quant_type="nf4", compress_statistics=True)
            scales = bnb.quantize_4bit(weight.bfloat16(), quant_type="nf4")[1].absmax
            check_tail(state.absmax, scales - state.offset, state.state2.code, 256, nibbles=False)
            states[key] = (packed, state)
            weight = bnb.dequantize_4bit(packed, state).float()
        values[key] = weight
    return values, states


def main():
    for name in CONFIGS:
        folder, limit = GOLDEN / name, SAMPLES[name]
        parameters = common.weights(name)
        if name == "headwidth100":
            write_config(folder, name)
        else:
            write_config(folder / "model", name)
            save_file({k: v.bfloat16() for k, v in parameters.items()}, folder / "model" / "model.safetensors",
                      metadata={"format": "pt"})
        (folder / "generation_config.json").unlink(missing_ok=True)
        sequences = common.batch(11 + len(name), LENGTHS[name])
        common.save_json(folder / "batch.json", {"sequences": sequences})

        exact, single, scalars = common.run_both(lambda t: common.model(name, t), sequences)
        common.save_result(folder / "reference", exact, single, scalars, limit)

        adapter = write_adapter(folder / "adapter", name)
        quantised, states = canonical(parameters)
        for result, base in (("lora", parameters), ("nf4-lora", quantised)):
            build = lambda t: adapted(common.model(name, t, base), t, state=adapter)
            exact, single, scalars = common.run_both(build, sequences)
            common.save_result(folder / result, file_keys(exact), file_keys(single), scalars, limit)

        if name == "headwidth100":
            stored, hashes = {}, {}
            for key, (packed, state) in states.items():
                module = key.removesuffix(".weight")
                hashes[module] = hashlib.sha256(packed.numpy().tobytes()).hexdigest()
                stored[key + ".absmax"] = state.absmax
                stored[key + ".nested_absmax"] = state.state2.absmax
                stored[key + ".nested_offset"] = state.offset.reshape(1)
            save_file(stored, folder / "nf4-state.safetensors")
            common.save_json(folder / "nf4-state.json", {"versions": common.versions(), "packed_sha256": hashes})


if __name__ == "__main__":
    main()
