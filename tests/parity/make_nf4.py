"""Makes golden/nf4/vectors and the NF4 folders of golden/grouped-tied with bitsandbytes' pure-PyTorch kernels."""

import shutil

import common  # first: it switches torch.compile off
from common import GOLDEN, LINEARS

import bitsandbytes.functional as bnb
import torch
from bitsandbytes.cextension import ErrorHandlerMockBNBNativeLibrary, lib
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def cases():
    """(name, tensor, note) of every vector."""
    random = torch.Generator().manual_seed(20260110)
    normal = lambda *shape: torch.randn(shape, generator=random)
    codebook = bnb.get_4bit_type("nf4", device="cpu")

    yield "formula", torch.tensor([(((37 * i + 11) % 101) - 50) / 64 for i in range(128)]), "two blocks by a formula"
    # A block maximum of 1 makes v = x, so the input is the codebook value or threshold itself.
    yield "every-code-both-nibbles", torch.cat([codebook, codebook.flip(0), codebook.roll(1), codebook]), \
        "each code in the high and in the low nibble"
    middle = (codebook[:-1] + codebook[1:]) / 2
    around = torch.stack([torch.nextafter(middle, torch.tensor(-9.0)), middle, torch.nextafter(middle, torch.tensor(9.0))])
    yield "thresholds", torch.cat([torch.ones(1), around.t().flatten(), torch.zeros(18)]), \
        "one ulp below, on and above each of the 15 thresholds"
    yield "zero-block", torch.cat([normal(64), torch.zeros(64), normal(64)]), "the middle block is zero"
    lone = torch.zeros(64)
    lone[17] = -0.37
    yield "one-nonzero", torch.cat([lone, normal(64)]), "one value in a block of zeros"
    yield "negative-only", -normal(128).abs() - 0.01, "no positive value"
    yield "tiny-maximum", torch.cat([normal(64) * 1e-37, normal(64)]), "block maximum near the smallest normal float"
    yield "gaussian-96x320-bf16", (normal(96, 320) * 0.05).bfloat16(), "bf16 input"
    yield "gaussian-16x64-f16", (normal(16, 64) * 0.05).half(), "f16 input"
    yield "k172", normal(64, 172) * 0.05, "blocks straddle rows; no tail"
    yield "k200", normal(40, 200) * 0.05, "blocks straddle rows; no tail"
    yield "k172-tail", normal(3, 172) * 0.05, "last block has 4 elements"
    yield "odd-count", normal(5, 27) * 0.05, "135 elements: last block of 7, one code of padding"
    yield "blocks-257", (normal(257, 64) * 0.02).bfloat16(), "second nested block has one entry"
    yield "blocks-600", (normal(600, 64) * (0.01 + 0.05 * torch.rand(600, 1, generator=random))).bfloat16(), \
        "three nested blocks, scales of many sizes"


def vectors():
    stored, records = {}, []
    for name, tensor, note in cases():
        tensor = tensor.contiguous()
        packed, plain = bnb.quantize_4bit(tensor, quant_type="nf4")
        packed2, nested = bnb.quantize_4bit(tensor, quant_type="nf4", compress_statistics=True)
        assert torch.equal(packed, packed2)
        check_tail(packed.flatten(), tensor.flatten().float(), plain.code, 64, nibbles=True)
        check_tail(nested.absmax, plain.absmax - nested.offset, nested.state2.code, 256, nibbles=False)
        state = nested.as_dict(packed=True)
        stored |= {
            name + ".input": tensor, name + ".packed": packed.flatten(), name + ".absmax": plain.absmax,
            name + ".absmax_codes": nested.absmax, name + ".nested_absmax": nested.state2.absmax,
            name + ".nested_offset": nested.offset.reshape(1),
            name + ".dequantized_nested": bnb.dequantize_4bit(packed, nested).contiguous(),
            name + ".state_json": state["quant_state.bitsandbytes__nf4"]}
        if tensor.numel() < 10000:
            stored[name + ".dequantized"] = bnb.dequantize_4bit(packed, plain).contiguous()
        records.append({"name": name, "dtype": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape),
                        "note": note})
    stored["quant_map"] = bnb.get_4bit_type("nf4", device="cpu").clone()
    stored["nested_quant_map"] = nested.state2.code.clone()
    (GOLDEN / "nf4").mkdir(parents=True, exist_ok=True)
    save_file(stored, GOLDEN / "nf4" / "vectors.safetensors")
    common.save_json(GOLDEN / "nf4" / "vectors.json", {
        "versions": common.versions(), "cpu": torch.backends.cpu.get_cpu_capability(), "cases": records})


def check_tail(stored, values, code, block, nibbles):
    """Asserts that the last, incomplete block has the codes of x * (1 / max), as the CUDA kernels scale every block.

    The pure-PyTorch kernels divide, x / max, in that one block; a golden file must not tell the two apart.
    """
    count = values.numel() % block
    if count == 0:
        return
    tail = values[-count:]
    codes = torch.bucketize(tail * (1.0 / tail.abs().max().clamp(min=1e-38)), (code[:-1] + code[1:]) / 2)
    if nibbles:
        codes = torch.nn.functional.pad(codes, (0, len(codes) % 2), value=7)
        codes = codes[::2] << 4 | codes[1::2]
    assert torch.equal(codes.to(torch.uint8), stored[-len(codes):]), "choose another seed: the tail sits on a threshold"


def folders():
    """Loads the bf16 folder through transformers as NF4 and saves it, which writes the published form."""
    for name, double in (("nf4", True), ("nf4-plain", False)):
        folder = GOLDEN / "grouped-tied" / name
        shutil.rmtree(folder, ignore_errors=True)
        network = AutoModelForCausalLM.from_pretrained(
            GOLDEN / "grouped-tied" / "model", dtype=torch.bfloat16,
            quantization_config=BitsAndBytesConfig(
                load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=double,
                bnb_4bit_compute_dtype=torch.bfloat16))
        network.save_pretrained(folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
        stored = load_file(folder / "model.safetensors")
        for key, weight in load_file(GOLDEN / "grouped-tied" / "model" / "model.safetensors").items():
            if any(p in key for p in LINEARS):
                packed, state = bnb.quantize_4bit(weight, quant_type="nf4", compress_statistics=double)
                assert torch.equal(stored[key].flatten(), packed.flatten()), key
                assert torch.equal(stored[key + ".absmax"], state.absmax), key
                if double:
                    scales = bnb.quantize_4bit(weight, quant_type="nf4")[1].absmax
                    check_tail(state.absmax, scales - state.offset, state.state2.code, 256, nibbles=False)


if __name__ == "__main__":
    assert isinstance(lib, ErrorHandlerMockBNBNativeLibrary), "the native library must be absent: its 8-bit search is coarse"
    vectors()
    folders()
