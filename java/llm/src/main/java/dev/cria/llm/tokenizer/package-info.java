/** Tokenizers: SentencePiece models, byte-level BPE, the files they are kept in. */
@NullMarked
package dev.cria.llm.tokenizer;

import org.jspecify.annotations.NullMarked;
