"""Golden ids of the tokenizers library for small byte-level vocabularies with each pre-tokeniser; read by PreTokenizerTest.

usage: python pretokenizer_goldens.py OUT_DIR      # java/llm/src/test/resources/dev/cria/llm/tokenizer

For each pre-tokeniser a vocabulary of 400 tokens is trained on the texts themselves, so that merges happen everywhere.
"""
import json, os, sys
import tokenizers
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

WORDS = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_level(regex): return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex)


def words(digits):
    split = pre_tokenizers.Split(Regex(WORDS % digits), behavior="isolated", invert=False)
    return pre_tokenizers.Sequence([split, byte_level(False)])


PRE = {"gpt-2": byte_level(True),
       "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level(True)]),
       "llama-bpe": words(r"\p{N}{1,3}"), "qwen2": words(r"\p{N}")}
TEXTS = ["", " ", "Hello world, it's I'LL and WE'VE don't", "a1b22c333d4444 5,678.90", "  two   spaces \t\ttabs\n\n\nlines\r\n  x",
         "def f(x):\n    return {'a': [1, 2]} # ok?!\n", "naïve café Ünï Å A\u030a ﬁ ½ ² Ⅷ ٣ 四", "日本語のテキスト、한국어。 ไทย",
         "🙂👩‍👩‍👧🏽 e\u0301\u200b\u00a0x\u3000y\u2028z\u0085w", "ſ'ſ 'S'T'Re", "!!!???...---===", "    \n   a", "x\u0000y\u001f"]
out = {"library": "tokenizers " + tokenizers.__version__, "texts": TEXTS, "ids": {}}
for name, pre in PRE.items():
    t = Tokenizer(models.BPE(ignore_merges=name == "llama-bpe"))
    t.pre_tokenizer = pre
    if name == "qwen2": t.normalizer = normalizers.NFC()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
                                  special_tokens=["<|end|>"])
    t.train_from_iterator(TEXTS * 3, trainer)
    folder = os.path.join(sys.argv[1], "bpe-" + name)
    os.makedirs(folder, exist_ok=True)
    t.save(os.path.join(folder, "tokenizer.json"), pretty=False)
    out["ids"][name] = [t.encode(x).ids for x in TEXTS]
json.dump(out, open(os.path.join(sys.argv[1], "pretokenizer-goldens.json"), "w"))
