"""Checks by hand that AutoTokenizer opens a folder Cria wrote and gives the same ids and texts.

Usage: check_tokenizer.py DIR CASES.json   (the form of golden/tokenizers/*.json, e.g. golden/tokenizers/llama.json)
"""

import common  # first: it sets the offline switches

import json
import sys

from transformers import AutoTokenizer


def main(folder, cases):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    print(type(tokenizer).__name__, len(tokenizer), "tokens; bos", tokenizer.bos_token, "eos", tokenizer.eos_token)
    wrong = 0
    data = json.load(open(cases))
    literal = "sentencepiece" in data.get("made_by", "")  # the library has no notion of special tokens in text
    for case in data["cases"]:
        if literal and any(token in case["text"] for token in tokenizer.all_special_tokens):
            continue
        ids = tokenizer(case["text"], add_special_tokens=False).input_ids
        if ids != case["ids"]:
            wrong += 1
            print(f"{case['text']!r}\n  expected {case['ids']}\n  got      {ids}")
            continue
        text = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        if text != case["decoded"]:
            print(f"{case['text']!r}: decodes to {text!r}, expected {case['decoded']!r} (a note, ids are right)")
    if tokenizer.chat_template:
        print("chat template:", repr(tokenizer.apply_chat_template(
            [{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True)))
    sys.exit(f"{wrong} texts have other ids" if wrong else 0)


if __name__ == "__main__":
    main(*sys.argv[1:3])
