package dev.cria.llm.eval;

import dev.cria.llm.tokenizer.TokenDecoder;
import dev.cria.llm.tokenizer.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.OptionalInt;

/** A tokenizer for tests: ASCII characters as tokens 3 to 96, BOS 1 before a text, EOS 2. */
final class Letters implements Tokenizer {
  @Override
  public int[] encode(String text, boolean parseSpecial) {
    return text.chars().map(c -> 3 + (c - ' ') % 94).toArray();
  }

  @Override
  public TokenDecoder decoder(boolean skipSpecial) {
    return new TokenDecoder() {
      @Override
      protected byte[] bytesOf(int id) {
        return Character.toString(' ' + id - 3).getBytes(StandardCharsets.UTF_8);
      }
    };
  }

  @Override
  public int vocabSize() {
    return 97;
  }

  @Override
  public OptionalInt bosId() {
    return OptionalInt.of(1);
  }

  @Override
  public OptionalInt eosId() {
    return OptionalInt.of(2);
  }

  @Override
  public OptionalInt unkId() {
    return OptionalInt.empty();
  }

  @Override
  public OptionalInt padId() {
    return OptionalInt.empty();
  }

  @Override
  public boolean addsBos() {
    return true;
  }

  @Override
  public boolean isSpecial(int id) {
    return id < 3;
  }

  @Override
  public String piece(int id) {
    return Integer.toString(id);
  }
}
