"""Makes golden/templates/renderings.json: dialogues through chat templates by transformers' Jinja.

Usage: make_templates.py DATA. The .jinja files are written for this project in the style of well-known models; the
template of SmolLM2 comes out of its GGUF file and is not stored here.
"""

import common  # first: it sets the offline switches
from common import GOLDEN

import pathlib
import sys

import jinja2
from gguf import GGUFReader
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

TOKENS = {  # template: (bos, eos)
    "llama-2": ("<s>", "</s>"), "llama-3": ("<|begin_of_text|>", "<|eot_id|>"), "mistral": ("<s>", "</s>"),
    "qwen-chatml": ("", "<|im_end|>"), "zephyr": ("<s>", "</s>"), "gemma": ("<bos>", "<eos>"),
    "smollm2": ("<|im_start|>", "<|im_end|>"),
}


def turn(role, content):
    return {"role": role, "content": content}


DIALOGUES = {
    "one question": [turn("user", "What is the capital of France?")],
    "system and question": [turn("system", "Answer in one word."), turn("user", "What is the capital of France?")],
    "three turns": [turn("user", "Hi!"), turn("assistant", "Hello. How can I help?"), turn("user", "Add 2 and 3.")],
    "system, spaces, unicode, markup": [
        turn("system", "  Be kind.\nBe brief. "), turn("user", " \tWas heißt „naïve“? 👍🏽 {{ not }} {% a tag %} <b>&amp;</b>\n"),
        turn("assistant", "  It's \"naïve\" \\ 'simple'.\n\n"), turn("user", "谢谢")],
    "two users in a row": [turn("user", "first"), turn("user", "second")],
    "ends with the assistant": [turn("user", "Say A."), turn("assistant", "A")],
    "unknown role": [turn("user", "x"), turn("narrator", "y")],
}


def main(data):
    templates = {p.stem: p.read_text() for p in sorted((GOLDEN / "templates").glob("*.jinja"))}
    reader = GGUFReader(data / "smollm2-135m" / "SmolLM2-135M-Instruct.Q4_1.gguf")
    templates["smollm2"] = reader.get_field("tokenizer.chat_template").contents()
    records = []
    for name, template in templates.items():
        bos, eos = TOKENS[name]
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), bos_token=bos or None, eos_token=eos)
        for dialogue in DIALOGUES:
            for prompt in (False, True):
                record = {"template": name, "dialogue": dialogue, "add_generation_prompt": prompt}
                try:
                    record["text"] = tokenizer.apply_chat_template(
                        DIALOGUES[dialogue], chat_template=template, tokenize=False, add_generation_prompt=prompt)
                except jinja2.TemplateError as error:
                    record["error"] = str(error)
                records.append(record)
    common.save_json(GOLDEN / "templates" / "renderings.json", {
        "versions": common.versions(), "jinja2": jinja2.__version__,
        "tokens": {n: {"bos_token": b, "eos_token": e} for n, (b, e) in TOKENS.items()},
        "dialogues": DIALOGUES, "renderings": records})


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
