"""Times the Python libraries that Cria is compared with, on random weights: what `cria bench` measures, done by others.

    python peers.py step      a QLoRA step of OpenLLaMA-3B by PyTorch, bitsandbytes and PEFT    (cria bench step)
    python peers.py dpo       a DPO pair by TRL on top of them                                  (cria bench dpo)
    python peers.py smol      SmolLM2-135M by PyTorch, all parameters or --rank R                (cria bench step --model ..)
    python peers.py pretrain  a LLaMA of 15 million parameters by PyTorch                        (cria bench pretrain-small)
    python peers.py gguf      writes OpenLLaMA-3B in Q4_0 for llama_cpp.mjs

Prints one line of JSON: the median of the repeats after one that does not count, all of them, and the versions.
"""
import argparse
import json
import random
import resource
import statistics
import time
from importlib.metadata import PackageNotFoundError, version

WORDS = 32000
PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["step", "dpo", "smol", "pretrain", "gguf"])
    parser.add_argument("--dtype", choices=["bf16", "f32"], default="bf16", help="what is computed in")
    parser.add_argument("--layers", type=int, default=26)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--prompt", type=int, default=384)
    parser.add_argument("--response", type=int, default=128)
    parser.add_argument("--rank", type=int, default=0, help="of the adapter; 0: 16, or for smol all parameters")
    parser.add_argument("--recompute", action="store_true", help="recompute every layer in the backward pass")
    parser.add_argument("--model", help="folder of a GGUF file, for smol")
    parser.add_argument("--out", default="open-llama-3b.gguf", help="file to write, for gguf")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def versions():
    found = {}
    for name in ("torch", "transformers", "peft", "trl", "bitsandbytes"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            pass
    if "bitsandbytes" not in found:  # built from source and found by PYTHONPATH
        try:
            import bitsandbytes

            found["bitsandbytes"] = bitsandbytes.__version__
        except ImportError:
            pass
    return found


def report(name, seconds, tokens):
    median = statistics.median(seconds)
    print(json.dumps({
        "peer": name, "seconds": median, "all": seconds, "tokens_per_second": tokens / median,
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, **versions()}))


def measured(repeats, run):
    """Seconds of each run after the first."""
    seconds = []
    for i in range(repeats + 1):
        start = time.perf_counter()
        run()
        if i > 0:
            seconds.append(time.perf_counter() - start)
    return seconds


def train(model, batch, repeats, learning_rate=1e-4):
    import torch

    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=learning_rate)

    def step():
        model(input_ids=batch, labels=batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    model.train()
    return measured(repeats, step)


def torch_type(args):
    import torch

    return torch.bfloat16 if args.dtype == "bf16" else torch.float32


def quantised_model(args):
    """OpenLLaMA-3B with random weights, its linear layers in NF4 with double quantisation."""
    import bitsandbytes as bnb
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    dtype = torch_type(args)
    config = LlamaConfig(
        hidden_size=3200, intermediate_size=8640, num_hidden_layers=args.layers, num_attention_heads=32,
        vocab_size=WORDS, max_position_embeddings=2048, rms_norm_eps=1e-6)
    torch.set_default_dtype(dtype)
    model = LlamaForCausalLM(config)  # with the initialisation of the library
    torch.set_default_dtype(torch.float32)
    for layer in model.model.layers:
        for parent in (layer.self_attn, layer.mlp):
            for name in PROJECTIONS:
                dense = getattr(parent, name, None)
                if dense is None:
                    continue
                small = bnb.nn.Linear4bit(
                    dense.in_features, dense.out_features, bias=False, compute_dtype=dtype, quant_type="nf4")
                small.weight = bnb.nn.Params4bit(
                    dense.weight.data, requires_grad=False, quant_type="nf4", compress_statistics=True, module=small)
                setattr(parent, name, small.to("cpu"))
    model.requires_grad_(False)
    model.is_loaded_in_4bit = True
    model.quantization_method = "bitsandbytes"
    return model


def adapter(args):
    from peft import LoraConfig

    rank = args.rank or 16
    return LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=PROJECTIONS, task_type="CAUSAL_LM")


def step(args):
    import torch
    from peft import get_peft_model

    model = quantised_model(args)
    if args.recompute:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    model = get_peft_model(model, adapter(args))
    batch = torch.randint(WORDS, (1, args.tokens))
    report("PyTorch, bitsandbytes, PEFT", train(model, batch, args.repeats), args.tokens)


def dpo(args):
    from datasets import Dataset
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, TrainerCallback
    from trl import DPOConfig, DPOTrainer

    special = ["<unk>", "<s>", "</s>"]
    vocabulary = {word: i for i, word in enumerate(special + [f"w{i}" for i in range(3, WORDS)])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token=special[0]))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token=special[0], bos_token=special[1], eos_token=special[2], pad_token=special[2])

    def text(words):
        return " ".join(f"w{random.randrange(3, WORDS)}" for _ in range(words))

    pairs = Dataset.from_list([
        {"prompt": text(args.prompt), "chosen": text(args.response - 1), "rejected": text(args.response - 1)}
        for _ in range(args.repeats + 1)])
    seconds = []

    class Clock(TrainerCallback):
        def on_step_begin(self, *_, **__):
            self.start = time.perf_counter()

        def on_step_end(self, *_, **__):
            seconds.append(time.perf_counter() - self.start)

    settings = DPOConfig(
        output_dir="build/peers/dpo", per_device_train_batch_size=1, gradient_accumulation_steps=1,
        max_steps=args.repeats + 1, use_cpu=True, bf16=False, gradient_checkpointing=args.recompute, report_to=[],
        save_strategy="no", logging_steps=1000, max_length=2048)
    DPOTrainer(
        model=quantised_model(args), args=settings, train_dataset=pairs, processing_class=tokenizer, callbacks=[Clock()],
        peft_config=adapter(args)).train()
    report("TRL, bitsandbytes, PEFT", seconds[1:], args.prompt + 2 * args.response)


def smol(args):
    import glob
    import os

    import torch
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM

    file = os.path.basename(glob.glob(os.path.join(args.model, "*.gguf"))[0])
    model = AutoModelForCausalLM.from_pretrained(args.model, gguf_file=file, dtype=torch.float32).to(torch_type(args))
    model.is_quantized = False  # it was in the file
    if hasattr(model, "hf_quantizer"):
        del model.hf_quantizer
    model.requires_grad_(True)
    if args.rank:
        model = get_peft_model(model, adapter(args))
    batch = torch.randint(model.config.vocab_size, (4, 256))
    report("PyTorch", train(model, batch, args.repeats, 1e-5), batch.numel())


def pretrain(args):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        hidden_size=288, intermediate_size=768, num_hidden_layers=6, num_attention_heads=6, vocab_size=WORDS,
        max_position_embeddings=256, tie_word_embeddings=True)
    model = LlamaForCausalLM(config).to(torch_type(args))
    batch = torch.randint(WORDS, (8, 256))
    report("PyTorch", train(model, batch, args.repeats), batch.numel())


def gguf(args):
    import numpy
    from gguf import GGMLQuantizationType, GGUFWriter, TokenType
    from gguf.quants import quantize

    writer = GGUFWriter(args.out, "llama")
    writer.add_context_length(2048)
    writer.add_embedding_length(3200)
    writer.add_block_count(args.layers)
    writer.add_feed_forward_length(8640)
    writer.add_head_count(32)
    writer.add_head_count_kv(32)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(100)
    writer.add_vocab_size(WORDS)
    named = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)]
    kinds = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL] + [TokenType.BYTE] * 256
    rest = WORDS - len(named)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(named + [f"w{i}" for i in range(rest)])
    writer.add_token_scores([0.0] * len(named) + [-1.0 - i for i in range(rest)])
    writer.add_token_types(kinds + [TokenType.NORMAL] * rest)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    numbers = numpy.random.default_rng(0)
    made = {}  # one matrix per shape: speed does not depend on values

    def matrix(name, rows, columns):
        if (rows, columns) not in made:
            dense = numbers.standard_normal((rows, columns), dtype=numpy.float32) / 50
            made[rows, columns] = quantize(dense, GGMLQuantizationType.Q4_0)
        writer.add_tensor(f"{name}.weight", made[rows, columns], raw_dtype=GGMLQuantizationType.Q4_0)

    ones = numpy.ones(3200, numpy.float32)
    matrix("token_embd", WORDS, 3200)
    matrix("output", WORDS, 3200)
    writer.add_tensor("output_norm.weight", ones)
    for i in range(args.layers):
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{i}.{norm}.weight", ones)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"blk.{i}.{name}", 3200, 3200)
        matrix(f"blk.{i}.ffn_gate", 8640, 3200)
        matrix(f"blk.{i}.ffn_up", 8640, 3200)
        matrix(f"blk.{i}.ffn_down", 3200, 8640)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    args = arguments()
    random.seed(0)
    if args.what != "gguf":
        import torch

        torch.set_num_threads(args.threads)
        torch.manual_seed(0)
    {"step": step, "dpo": dpo, "smol": smol, "pretrain": pretrain, "gguf": gguf}[args.what](args)


if __name__ == "__main__":
    main()
