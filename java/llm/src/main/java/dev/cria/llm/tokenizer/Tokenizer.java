package dev.cria.llm.tokenizer;

import java.util.OptionalInt;

/**
 * Turns text into token ids and back. Implementations are immutable and may be used by any number
 * of threads.
 */
public interface Tokenizer {
  /**
   * Ids of a text, without BOS or EOS. With {@code parseSpecial} the written form of a special
   * token (for example {@code <|im_end|>}) becomes that token; without it such text is ordinary
   * text, as data from outside should be.
   */
  int[] encode(String text, boolean parseSpecial);

  /**
   * Ids of a text that goes on from ordinary text before it: as {@link #encode}, but without the
   * dummy space that some vocabularies put before a text.
   */
  default int[] encodeContinuation(String text, boolean parseSpecial) {
    return encode(text, parseSpecial);
  }

  /** Text of the ids, special tokens left out; bytes that are not UTF-8 become U+FFFD. */
  default String decode(int[] ids) {
    return decode(ids, true);
  }

  /** Text of the ids; special tokens are left out or written as their piece. */
  default String decode(int[] ids, boolean skipSpecial) {
    TokenDecoder decoder = decoder(skipSpecial);
    StringBuilder text = new StringBuilder();
    for (int id : ids) {
      text.append(decoder.accept(id));
    }
    return text.append(decoder.finish()).toString();
  }

  /** A decoder that takes one id at a time and never splits a character. */
  TokenDecoder decoder(boolean skipSpecial);

  /** Number of ids: 0 to {@code vocabSize() - 1} are valid. */
  int vocabSize();

  /** Id that begins a text, if there is one. */
  OptionalInt bosId();

  /** Id that ends a text, if there is one. */
  OptionalInt eosId();

  /** Id of unknown text, if there is one. */
  OptionalInt unkId();

  /** Id for padding, if there is one. */
  OptionalInt padId();

  /** Whether a text for this model begins with {@link #bosId}. */
  boolean addsBos();

  /** Whether the id is a control or other special token, which has no text of its own. */
  boolean isSpecial(int id);

  /** The piece as the vocabulary writes it, for example {@code ▁the} or {@code <0x0A>}. */
  String piece(int id);
}
