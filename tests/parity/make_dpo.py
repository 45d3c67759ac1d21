"""Makes golden/grouped-tied/dpo: preference losses and LoRA gradients, by TRL's own loss where TRL has it."""

import common  # first: it switches torch.compile off
from common import GOLDEN

import collections
import types

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from safetensors.torch import load_file
from trl import DPOTrainer

from make_models import adapted, file_keys

CASES = [  # name, loss, beta, label smoothing, source
    ("sigmoid", "sigmoid", 0.1, 0.0, "trl"),
    ("sigmoid-beta-1", "sigmoid", 1.0, 0.0, "trl"),
    ("ipo", "ipo", 0.1, 0.0, "trl"),
    ("hinge", "hinge", 0.5, 0.0, "trl"),
    ("robust", "robust", 0.1, 0.1, "trl"),
    ("sigmoid-smoothed", "sigmoid", 0.1, 0.1, "formula"),
    ("ipo-sum", "ipo-sum", 0.1, 0.0, "formula"),
]


def pairs(vocabulary=320):
    random = np.random.default_rng(20260120)
    tokens = lambda n: random.integers(3, vocabulary, n).tolist()
    return [{"prompt": [1] + tokens(p), "chosen": tokens(c) + [2], "rejected": tokens(r) + [2]}
            for p, c, r in ((4, 6, 11), (9, 13, 5), (2, 3, 3), (17, 1, 8))]


def collate(some):
    """TRL's batch: all chosen, then all rejected, padded on the right."""
    rows = [(p["prompt"], p[side]) for side in ("chosen", "rejected") for p in some]
    width = max(len(a) + len(b) for a, b in rows)
    pad = lambda values: values + [0] * (width - len(values))
    return {"input_ids": torch.tensor([pad(a + b) for a, b in rows]),
            "attention_mask": torch.tensor([pad([1] * len(a + b)) for a, b in rows]),
            "completion_mask": torch.tensor([pad([0] * len(a) + [1] * len(b)) for a, b in rows])}


def trl_loss(network, inputs, loss, beta, smoothing):
    """DPOTrainer's own loss on that batch; the reference is the network with its adapter off."""
    trainer = DPOTrainer.__new__(DPOTrainer)
    for name, value in {
            "model": network, "ref_model": None, "accelerator": Accelerator(cpu=True), "precompute_ref_logps": False,
            "aux_loss_enabled": False, "ld_alpha": None, "f_divergence_type": "reverse_kl", "loss_types": [loss],
            "loss_weights": [1.0], "beta": beta, "label_smoothing": smoothing, "use_weighting": False,
            "_total_train_tokens": 0, "_tp_size": 1, "_metrics": {"train": collections.defaultdict(list)},
            "args": types.SimpleNamespace(gradient_checkpointing_kwargs=None)}.items():
        setattr(trainer, name, value)
    value = trainer._compute_loss(network, inputs, return_outputs=False)
    return value, trainer._metrics["train"]


def answer_logps(network, inputs):
    """Sum of log p over the answer tokens of each row."""
    logits = network(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False).logits
    logp = torch.log_softmax(logits[:, :-1], -1).gather(-1, inputs["input_ids"][:, 1:, None])[..., 0]
    return (logp * inputs["completion_mask"][:, 1:]).sum(1)


def formula_loss(network, inputs, loss, beta, smoothing):
    """Conservative DPO and the summed IPO, which TRL does not have."""
    chosen, rejected = answer_logps(network, inputs).chunk(2)
    with torch.no_grad(), network.disable_adapter():
        reference_chosen, reference_rejected = answer_logps(network, inputs).chunk(2)
    delta = (chosen - reference_chosen) - (rejected - reference_rejected)
    if loss == "ipo-sum":
        return ((delta - 1 / (2 * beta)) ** 2).mean(), {}
    d = beta * delta
    return (-(1 - smoothing) * F.logsigmoid(d) - smoothing * F.logsigmoid(-d)).mean(), {}


def run(dtype, some):
    """(gradients by CASE/KEY, logps, records by case) of one precision."""
    base = common.model("grouped-tied", dtype)
    adapter = load_file(GOLDEN / "grouped-tied" / "adapter" / "adapter_model.safetensors")
    network = adapted(base, dtype, state=adapter)
    with torch.no_grad():
        batch = collate(some)
        policy_chosen, policy_rejected = answer_logps(network, batch).chunk(2)
        with network.disable_adapter():
            reference_chosen, reference_rejected = answer_logps(network, batch).chunk(2)
    logps = {"policy_chosen": policy_chosen, "policy_rejected": policy_rejected,
             "reference_chosen": reference_chosen, "reference_rejected": reference_rejected}
    gradients, records = {}, []
    for name, loss, beta, smoothing, source in CASES:
        compute = trl_loss if source == "trl" else formula_loss
        network.zero_grad()
        mean, metrics = compute(network, batch, loss, beta, smoothing)
        mean.backward()
        for key, parameter in network.named_parameters():
            if parameter.requires_grad:
                gradients[f"{name}/grad.{key}"] = parameter.grad.clone()
        with torch.no_grad():
            each = [compute(network, collate([p]), loss, beta, smoothing)[0].item() for p in some]
        rewards = {"rewards_chosen": (beta * (policy_chosen - reference_chosen)).tolist(),
                   "rewards_rejected": (beta * (policy_rejected - reference_rejected)).tolist()}
        if metrics:
            assert np.isclose(metrics["rewards/chosen"][0], np.mean(rewards["rewards_chosen"]), rtol=1e-4)
        records.append({"name": name, "loss": loss, "beta": beta, "label_smoothing": smoothing, "source": source,
                        "mean": mean.item(), "per_pair": each, **rewards})
    return file_keys(gradients), {k: v.tolist() for k, v in logps.items()}, records


def main():
    some = pairs()
    common.save_json(GOLDEN / "grouped-tied" / "dpo-pairs.json", {"pairs": some})
    with common.precision(torch.float64):
        exact, logps, records = run(torch.float64, some)
    single, logps32, records32 = run(torch.float32, some)
    for record, other in zip(records, records32):
        record["mean_f32_error"] = abs(record["mean"] - other["mean"])
    error = max(abs(a - b) for k in logps for a, b in zip(logps[k], logps32[k]))
    common.save_result(GOLDEN / "grouped-tied" / "dpo", exact, single,
                       {"logps": logps, "logps_f32_error": error, "losses": records})


if __name__ == "__main__":
    main()
