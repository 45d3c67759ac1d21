"""Makes golden/grouped-tied/adamw-full and adamw-lora: ten steps of torch.optim.AdamW with states, and loss curves."""

import common  # first: it switches torch.compile off
from common import GOLDEN

import shutil

import torch
from safetensors.torch import save_file

from make_models import adapted, file_keys

STEPS = 10
SAMPLES = 64  # elements kept of each tensor of the full run


def write_adapter(folder):
    """A rank 2 PEFT folder as PEFT starts it: A random, B zero."""
    torch.manual_seed(20260130)
    lora = adapted(common.model("grouped-tied", torch.float32), torch.float32, rank=2, alpha=4)
    shutil.rmtree(folder, ignore_errors=True)
    lora.save_pretrained(folder)
    common.tidy_adapter(folder)
    return common.load_file(folder / "adapter_model.safetensors")


def train(network, batches):
    """Ten steps: (series of p, m, v, g by tensor, record of each step)."""
    parameters = {n: p for n, p in network.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(parameters.values(), lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01,
                                  foreach=False)
    series, records = {}, []

    def note(kind, name, tensor):
        series.setdefault(f"{kind}.{name}", []).append(tensor.detach().clone().flatten())

    def note_state():
        for name, p in parameters.items():
            state = optimizer.state.get(p, {})
            note("p", name, p)
            note("m", name, state.get("exp_avg", torch.zeros_like(p)))
            note("v", name, state.get("exp_avg_sq", torch.zeros_like(p)))

    for sequences in batches:
        note_state()
        optimizer.zero_grad()
        _, total, count = common.nll(network, sequences)
        (total / count).backward()
        for name, p in parameters.items():
            note("g", name, p.grad)
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        optimizer.step()
        records.append({"loss": (total / count).item(), "grad_norm": norm.item(), "clip": min(1.0, 1 / (norm.item() + 1e-6))})
    note_state()
    return {k: torch.stack(v) for k, v in file_keys(series).items()}, records


def main():
    folder = GOLDEN / "grouped-tied"
    batches = [common.batch(100 + step, (16 + step, 40 - 2 * step)) for step in range(STEPS)]
    common.save_json(folder / "adamw-batches.json", {"batches": [{"sequences": b} for b in batches]})
    adapter = write_adapter(folder / "adamw-adapter")
    builds = {
        "adamw-full": lambda t: common.model("grouped-tied", t),
        "adamw-lora": lambda t: adapted(common.model("grouped-tied", t), t, rank=2, alpha=4, state=adapter)}
    for name, build in builds.items():
        runs = {}
        for dtype in (torch.float64, torch.float32):
            with common.precision(dtype):
                runs[dtype] = train(build(dtype), batches)
        (exact, records), (single, records32) = runs[torch.float64], runs[torch.float32]
        stored, described = {}, {}
        for key, rows in exact.items():
            stride = common.stride_for(rows.shape[1], SAMPLES) if name == "adamw-full" else 0
            kept = rows if stride == 0 else rows[:, ::stride][:, :SAMPLES]
            stored[key] = kept.float().contiguous()
            described[key] = {"size": rows.shape[1], "stride": stride, "count": kept.shape[1],
                              "max_abs": rows.abs().max().item(),
                              "f32_error_by_row": (single[key].double() - rows).abs().amax(1).tolist()}
        save_file(stored, folder / (name + ".safetensors"))
        common.save_json(folder / (name + ".json"), {
            "versions": common.versions(), "learning_rate": 1e-3, "betas": [0.9, 0.999], "eps": 1e-8,
            "weight_decay": 0.01, "max_grad_norm": 1.0, "steps": records,
            "loss_f32": [r["loss"] for r in records32], "tensors": described})


if __name__ == "__main__":
    main()
