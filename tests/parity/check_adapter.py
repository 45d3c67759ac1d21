"""Checks by hand that a model folder and a PEFT adapter Cria wrote give the same logits in Python.

Usage: check_adapter.py MODEL_DIR ADAPTER_DIR IDS.json LOGITS.f32 [--limit 2e-3]
ADAPTER_DIR may be `-` (no adapter). IDS.json: one list of token ids; LOGITS.f32: Cria's logits, raw little-endian f32 [T, V].
"""

import common  # first: it sets the offline switches

import argparse
import json
import sys

import numpy as np
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "adapter", "ids", "logits"):
        arguments.add_argument(name)
    arguments.add_argument("--limit", type=float, default=2e-3)
    options = arguments.parse_args()

    network = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
    if options.adapter != "-":
        network = PeftModel.from_pretrained(network, options.adapter)
        moved = sum(p.abs().sum().item() for n, p in network.named_parameters() if "lora_B" in n)
        print(f"adapter: {sum('lora_' in n for n, _ in network.named_parameters())} matrices, sum |B| = {moved:.6g}")
        if moved == 0:
            sys.exit("the adapter changes nothing: B is zero, the comparison would prove nothing")
    ids = json.load(open(options.ids))
    ids = ids["ids"] if isinstance(ids, dict) else ids
    with torch.no_grad():
        expected = network.eval()(input_ids=torch.tensor([ids])).logits[0].float().numpy()
    ours = np.fromfile(options.logits, dtype="<f4")
    if ours.size != expected.size:
        sys.exit(f"{options.logits} has {ours.size} numbers, {expected.shape} = {expected.size} expected")
    difference = np.abs(ours.reshape(expected.shape) - expected)
    place = np.unravel_index(difference.argmax(), difference.shape)
    print(f"max |difference| {difference.max():.3e} at position {place[0]}, token {place[1]} "
          f"(Python {expected[place]:.6f}); mean {difference.mean():.3e}; limit {options.limit:g}")
    sys.exit(0 if difference.max() <= options.limit else "logits differ")


if __name__ == "__main__":
    main()
