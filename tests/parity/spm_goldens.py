"""Golden ids of the SentencePiece library for the models of the shared data; read by SentencePieceTokenizerTest.

usage: python spm_goldens.py DATA_DIR > java/llm/src/test/resources/dev/cria/llm/tokenizer/spm-goldens.json
"""
import json, os, sys
import sentencepiece

TEXTS = ["", " ", "  two  spaces   inside ", "Hello world", "ﬁne ½ Ｈｅｌｌｏ　ｗｏｒｌｄ ①", "line\nbreak\ttab\r\n", "Å Å é é ñ",
         "\u200b\u00a0\u3000x\u2028y", "日本語のテキスト 한국어", "🙂👩‍👩‍👧 42 <s> </s> <unk>", "I saw a girl with a telescope.",
         "patients with hypercholesterolemia received atorvastatin", "▁already▁escaped", "\u0000\u0001\u007f"]
MODELS = ["tokenizers-spm/llama.model", "tokenizers-spm/test_sentencepiece_bpe.model",
          "tokenizers-spm/test_sentencepiece_with_bytefallback.model", "tokenizers-spm/test_sentencepiece.model",
          "tokenizers-spm/storyllamas_4096.model", "tokenizer-medical/domain.spm"]
models = {}
for name in MODELS:
    spm = sentencepiece.SentencePieceProcessor(model_file=os.path.join(sys.argv[1], name))
    models[name] = [spm.encode(t) for t in TEXTS]
json.dump({"library": "sentencepiece " + sentencepiece.__version__, "texts": TEXTS, "ids": models}, sys.stdout)
print()
