package dev.cria.llm.tokenizer;

import java.util.OptionalInt;

/** The ids that a tokenizer's surroundings declare. */
record SpecialIds(
    OptionalInt bos, OptionalInt eos, OptionalInt unk, OptionalInt pad, boolean addsBos) {}
