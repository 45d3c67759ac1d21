"""What every golden maker shares: tiny models, batches, float64 and float32 reference runs, the files' form."""

import contextlib
import json
import os
import pathlib
import re

os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")  # plain kernels: a compiler may contract a*b+c
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama import modeling_llama

GOLDEN = pathlib.Path(__file__).parent / "golden"
IGNORED = -100

LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

CONFIGS = {
    "headwidth100": LlamaConfig(
        vocab_size=320, hidden_size=400, intermediate_size=1080, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=128, rms_norm_eps=1e-6, rope_theta=10000.0,
        tie_word_embeddings=False, bos_token_id=1, eos_token_id=2),
    "grouped-tied": LlamaConfig(
        vocab_size=320, hidden_size=64, intermediate_size=176, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, rms_norm_eps=1e-5, rope_theta=100000.0,
        tie_word_embeddings=True, bos_token_id=1, eos_token_id=2),
}


def versions():
    import importlib.metadata as metadata
    names = ["torch", "transformers", "peft", "trl", "bitsandbytes", "safetensors", "numpy"]
    return {n: metadata.version(n) for n in names}


# ---- weights -------------------------------------------------------------------------------------

def generated(name, shape):
    """The weight of a parameter by the rule of README.md, for the model that is too big to commit."""
    mask = (1 << 64) - 1
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & mask
    with np.errstate(over="ignore"):
        z = np.uint64(h) + np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    b = (z >> np.uint64(56)).astype(np.uint8).view(np.int8).astype(np.int32)
    if len(shape) == 1:
        values = 1.0 + (b >> 3) * 2.0 ** -7
    elif "embed_tokens" in name:
        values = b * 2.0 ** -7
    else:
        values = b * 2.0 ** -11
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def weights(config_name):
    """All parameters of a configuration, f32 with values exact in bf16."""
    with torch.device("meta"):
        shapes = {n: tuple(p.shape) for n, p in LlamaForCausalLM(CONFIGS[config_name]).named_parameters()}
    if config_name == "headwidth100":
        return {n: generated(n, s) for n, s in shapes.items()}
    random = torch.Generator().manual_seed(20260101)
    result = {}
    for name, shape in shapes.items():
        normal = torch.randn(shape, generator=random)
        if len(shape) == 1:
            value = 1.0 + 0.1 * normal
        elif "embed_tokens" in name:
            value = 0.5 * normal
        else:
            value = normal * (1.2 / shape[1] ** 0.5)
        result[name] = value.bfloat16().float()
    return result


def model(config_name, dtype, parameters=None):
    """A transformers model of that configuration with the given (or its own) parameters, in training mode."""
    config = CONFIGS[config_name]
    config._attn_implementation = "sdpa"
    network = LlamaForCausalLM(config).to(dtype)
    own = dict(network.named_parameters())
    with torch.no_grad():
        for name, value in (parameters or weights(config_name)).items():
            own[name].copy_(value.to(dtype))
    return network.train()


# ---- exact float64 -------------------------------------------------------------------------------

@contextlib.contextmanager
def precision(dtype):
    """For float64: RMSNorm and the rotary table in float64 where stock transformers drops to float32."""
    if dtype != torch.float64:
        yield
        return
    norm, rope = modeling_llama.LlamaRMSNorm.forward, modeling_llama.LlamaRotaryEmbedding.forward

    def norm64(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))

    def rope64(self, x, position_ids):
        base = self.config.rope_parameters["rope_theta"]
        width = self.config.hidden_size // self.config.num_attention_heads
        frequency = base ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
        angle = position_ids[..., None].double() * frequency
        angle = torch.cat((angle, angle), dim=-1)
        return angle.cos(), angle.sin()

    modeling_llama.LlamaRMSNorm.forward, modeling_llama.LlamaRotaryEmbedding.forward = norm64, rope64
    try:
        yield
    finally:
        modeling_llama.LlamaRMSNorm.forward, modeling_llama.LlamaRotaryEmbedding.forward = norm, rope


# ---- batches and losses --------------------------------------------------------------------------

def batch(seed, lengths, vocabulary=320):
    """Random sequences; a random prompt part and a few places inside are not labelled."""
    random = np.random.default_rng(seed)
    sequences = []
    for length in lengths:
        ids = [1] + random.integers(3, vocabulary, length - 1).tolist()
        labels = list(ids)
        for t in range(int(length * 0.3)):
            labels[t] = IGNORED
        labels[int(random.integers(int(length * 0.3), length))] = IGNORED
        sequences.append({"ids": ids, "labels": labels})
    return sequences


def nll(network, sequences):
    """Logits of all sequences one after another, summed NLL over labelled positions, and their number."""
    logits, total, count = [], 0.0, 0
    for sequence in sequences:
        out = network(input_ids=torch.tensor([sequence["ids"]]), use_cache=False).logits[0]
        labels = torch.tensor(sequence["labels"][1:])
        total = total + torch.nn.functional.cross_entropy(out[:-1], labels, ignore_index=IGNORED, reduction="sum")
        count += int((labels != IGNORED).sum())
        logits.append(out)
    return torch.cat(logits), total, count


def loss_and_gradients(network, sequences):
    """Forward and backward of the mean loss: (tensors by name, scalars); gradients of what requires one."""
    network.zero_grad()
    logits, total, count = nll(network, sequences)
    (total / count).backward()
    tensors = {"logits": logits.detach()}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            tensors["grad." + name] = parameter.grad.detach().clone()
    return tensors, {"loss": (total / count).item(), "nll_sum": total.item(), "labelled": count}


# ---- files ---------------------------------------------------------------------------------------

def stride_for(count, limit):
    """0 if all fit, else the largest prime step that still gives at most `limit` samples plus a few."""
    if count <= limit:
        return 0
    step = max(2, count // limit)
    while any(step % d == 0 for d in range(2, int(step ** 0.5) + 1)):
        step -= 1
    return step


def sample(tensor, stride, limit):
    return tensor if stride == 0 else tensor.flatten()[::stride][:limit]


def compact(text):
    """Puts lists of plain numbers on one line."""
    return re.sub(r"\[\n\s*([-+.\deE,\s]*?)\s*\]", lambda m: "[" + re.sub(r"\s+", " ", m.group(1)) + "]", text)


def save_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(compact(json.dumps(value, indent=1, ensure_ascii=True)) + "\n")


def save_result(path, exact, single, scalars, limit=1 << 62):
    """Writes NAME.safetensors and NAME.json from the float64 tensors, with the float32 run's error beside each.

    Gradients of more than `limit` elements are sampled, logits never."""
    stored, records = {}, {}
    for name, tensor in exact.items():
        tensor = tensor.double()
        stride = 0 if name == "logits" else stride_for(tensor.numel(), limit)
        part = sample(tensor, stride, limit).float().contiguous()
        stored[name] = part.clone()
        records[name] = {
            "shape": list(tensor.shape), "stride": stride, "count": part.numel(),
            "max_abs": tensor.abs().max().item(), "l2": tensor.norm().item(), "sum": tensor.sum().item(),
            "f32_error": (single[name].double() - tensor).abs().max().item()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(stored, str(path) + ".safetensors")
    save_json(pathlib.Path(str(path) + ".json"), {"versions": versions(), **scalars, "tensors": records})


def tidy_adapter(folder):
    """Makes what PEFT wrote the same on every run: it stores the target modules as a set."""
    (folder / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter_config.json").read_text())
    save_json(folder / "adapter_config.json", config | {"target_modules": LINEARS})


def run_both(build, sequences):
    """Runs build(dtype) in float64 and float32 on the batch: (exact tensors, float32 tensors, scalars)."""
    results = {}
    for dtype in (torch.float64, torch.float32):
        with precision(dtype):
            results[dtype] = loss_and_gradients(build(dtype), sequences)
    (exact, scalars), (single, scalars32) = results[torch.float64], results[torch.float32]
    scalars["loss_f32_error"] = abs(scalars32["loss"] - scalars["loss"])
    return exact, single, scalars
