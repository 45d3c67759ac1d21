package dev.cria.llm;

import dev.cria.autograd.Sequences;

/**
 * The rows of one forward pass: sequences of tokens one after the other, without padding.
 *
 * @param ids token of each row, {@code [T]}
 * @param positions rotary position of each row within its own text, {@code [T]}
 * @param sequences which rows belong together, and which prefix each sequence continues
 */
public record TokenBatch(int[] ids, int[] positions, Sequences sequences) {
  /** Checks that ids and positions have one length. */
  public TokenBatch {
    if (ids.length != positions.length) {
      throw new IllegalArgumentException(
          "token batch: " + ids.length + " ids but " + positions.length + " positions");
    }
  }

  /** Plain sequences, each with positions from 0. Empty ones are allowed. */
  public static TokenBatch of(int[]... texts) {
    int rows = 0;
    for (int[] text : texts) {
      rows += text.length;
    }
    int[] ids = new int[rows];
    int[] positions = new int[rows];
    int[] table = new int[4 * texts.length];
    int row = 0;
    for (int s = 0; s < texts.length; s++) {
      table[4 * s] = row;
      table[4 * s + 1] = texts[s].length;
      for (int i = 0; i < texts[s].length; i++, row++) {
        ids[row] = texts[s][i];
        positions[row] = i;
      }
    }
    return new TokenBatch(ids, positions, new Sequences(table));
  }

  /** Number of rows T. */
  public int rows() {
    return ids.length;
  }
}
