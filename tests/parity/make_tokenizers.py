"""Makes golden/tokenizers: ids and decoded texts of SentencePiece and of the byte-level BPE inside a GGUF file.

Usage: make_tokenizers.py DATA, where DATA holds smollm2-135m, tokenizers-spm and stories260k.
"""

import common  # first: it sets the offline switches
from common import GOLDEN

import pathlib
import sys

import sentencepiece
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer

TEXTS = [
    "", " ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", " \n ", "a", " a", "a ", "  a  b   c    ",
    "Hello world", "Hello, world!", "Once upon a time, there was a little girl named Lily.",
    "I'm you're he's we'll they've she'd DON'T It'S o'clock 'tis", "it’s “quoted” – text… ‹x›",
    "0", "7 42 123 1234 12345 1234567890", "3.14159 -2.5e-10 0xFF 1,000,000", "a1b2c3 v2.0 x86_64 10th", "١٢٣ ४५६ Ⅷ ½ ² ③",
    "  12345", "price: $ 99", "year 2024\nyear  2025", "100%", "!!!???...", "--- === ### ***", "[]{}()<>|\\/~`@#$%^&*_+=-",
    "def f(x):\n    if x > 0:\n        return x ** 2\n\n    return None\n", "for (int i = 0; i < n; ++i) {\n\ta[i] += b[i];\n}",
    "<html><body class=\"x\">&amp;</body></html>", "https://example.org/a?b=c&d=%20#e", "C:\\Users\\name\\file.txt",
    "naïve café Ünïcödé Straße", "São Paulo, coração, não é água", "e\u0301 vs \u00e9, A\u030a vs \u00c5",
    "Привет, мир! Ёлка", "Ελληνικά και πολυτονικὸ", "中文分词测试。你好，世界！", "日本語のテキスト、カタカナ", "ｶﾞ ｶﾀｶﾅ ＡＢＣ１２３",
    "한국어 문장입니다", "مرحبا بالعالم", "שלום עולם", "नमस्ते दुनिया", "ภาษาไทยไม่มีช่องว่าง",
    "😀", "👍🏽 👨‍👩‍👧‍👦 🇧🇷", "text 🚀 more 🎉🎉", "𝒜𝓁𝓅𝒽𝒶 𐍈 𠜎", "ﬁ ﬂ № ™ ㎏ ℌ", "a\u00a0b\u2003c\u3000d\u200be\ufefff", "\u0000\u0001\u007f\u0085",
    "<s>text</s>", "<unk><pad>", "<|im_start|>user\nhi<|im_end|>\n", "<|endoftext|><|endoftext|>", "a<|im_end|>b <|im_end|> c",
    "<|im_start|>", "<repo_name>x<file_sep>y", "<0x41><0x0A>", "▁ ▁a ▁▁b", "ĠHello Ċ",
    "supercalifragilisticexpialidocious antidisestablishmentarianism", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "xzqjkvbwpf",
    "The quick brown fox\njumps over\n\n\nthe lazy dog.  \n", "a\nb\r\nc\rd", "tab\tseparated\t\tvalues", "\n  leading and trailing  \n",
]

SENTENCEPIECE = {
    "llama": "tokenizers-spm/llama.model", "storyllamas_4096": "tokenizers-spm/storyllamas_4096.model",
    "test_sentencepiece_bpe": "tokenizers-spm/test_sentencepiece_bpe.model", "tok512": "stories260k/tok512.model",
}


def smollm2(data):
    """The tokenizer inside the GGUF file, with the `smollm` pre-tokeniser that file names.

    transformers reads vocabulary, merges and special tokens from the file but always sets the plain GPT-2 split.
    """
    tokenizer = AutoTokenizer.from_pretrained(data / "smollm2-135m", gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf")
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    return tokenizer


def main(data):
    for name, path in SENTENCEPIECE.items():
        processor = sentencepiece.SentencePieceProcessor(model_file=str(data / path))
        cases = []
        for text in TEXTS:
            ids = processor.encode(text)
            cases.append({"text": text, "ids": ids, "decoded": processor.decode(ids)})
        common.save_json(GOLDEN / "tokenizers" / (name + ".json"), {
            "made_by": "sentencepiece " + sentencepiece.__version__, "model": path, "cases": cases})
    tokenizer = smollm2(data)
    cases = []
    for text in TEXTS:
        ids = tokenizer(text, add_special_tokens=False).input_ids
        cases.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids, clean_up_tokenization_spaces=False)})
    common.save_json(GOLDEN / "tokenizers" / "smollm2.json", {
        "versions": common.versions(), "model": "smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf", "cases": cases})


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
