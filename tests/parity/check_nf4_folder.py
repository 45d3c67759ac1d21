"""Checks by hand an NF4 folder Cria wrote: bitsandbytes reads it, and finds the matrices it would have made itself.

Usage: check_nf4_folder.py NF4_DIR [SOURCE_DIR]
With SOURCE_DIR (the unquantised folder) codes must be equal byte for byte, scales up to the effect of a 2 ulp other offset. Also
loads NF4_DIR through transformers and compares its matrices with those of the tensors.
"""

import common  # first: it switches torch.compile off

import pathlib
import sys

import bitsandbytes as bnb
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM


def tensors(folder):
    """All tensors of a folder, from one file or from shards."""
    result = {}
    for file in sorted(pathlib.Path(folder).glob("*.safetensors")):
        with safe_open(file, "pt") as opened:
            result |= {key: opened.get_tensor(key) for key in opened.keys()}
    return result


def states(stored):
    """name -> (packed codes, QuantState) of each quantised weight, as bitsandbytes reads it."""
    found = {}
    for key in [k for k in stored if k.endswith(".quant_state.bitsandbytes__nf4")]:
        name = key.removesuffix(".quant_state.bitsandbytes__nf4")
        parts = {k: v for k, v in stored.items() if k.startswith(name + ".")}
        found[name] = stored[name], bnb.functional.QuantState.from_dict(parts, torch.device("cpu"))
    return found


def main(folder, source=None):
    quantised = states(tensors(folder))
    network = AutoModelForCausalLM.from_pretrained(folder)
    loaded = dict(network.named_parameters())
    plain = tensors(source) if source else {}
    worst_scale = 0.0
    for name, (packed, state) in quantised.items():
        weight = bnb.functional.dequantize_4bit(packed, state)
        through = bnb.functional.dequantize_4bit(loaded[name].data, loaded[name].quant_state)
        assert torch.equal(weight, through), f"{name}: transformers reads other values"
        if source:
            again, own = bnb.functional.quantize_4bit(
                plain[name], quant_type="nf4", compress_statistics=state.nested, blocksize=state.blocksize)
            if not torch.equal(again.flatten(), packed.flatten()):
                sys.exit(f"{name}: {(again.flatten() != packed.flatten()).sum()} of {packed.numel()} bytes differ")
            scale = lambda s: (bnb.functional.dequantize_blockwise(s.absmax, s.state2) + s.offset) if s.nested else s.absmax
            steps = (scale(own) - scale(state)).abs() / (own.state2.absmax.max() if state.nested else own.absmax.max())
            worst_scale = max(worst_scale, steps.max().item())
    if not quantised:
        sys.exit("no NF4 weight found")
    print(f"{len(quantised)} NF4 matrices read by bitsandbytes and by transformers; "
          + (f"codes equal; largest difference of a scale, in parts of the group's maximum: {worst_scale:.2e}" if source else ""))
    # Codes of the second level lie at most 1/127 apart; two ulp of the offset move a scale by one such step at most.
    sys.exit(0 if worst_scale < 1 / 64 else "scales differ")


if __name__ == "__main__":
    main(*sys.argv[1:3])
