package dev.cria.llm.train;

import dev.cria.llm.Keys;

/**
 * A prompt with a preferred and a rejected answer.
 *
 * @param origin where it was read
 * @param prompt at least one token
 * @param chosen tokens of the preferred answer, at least one
 * @param rejected tokens of the other answer, at least one
 */
public record PairItem(String origin, int[] prompt, int[] chosen, int[] rejected) implements Item {
  /** Checks that nothing is empty. */
  public PairItem {
    if (prompt.length == 0 || chosen.length == 0 || rejected.length == 0) {
      throw new IllegalArgumentException(
          origin
              + ": prompt, chosen and rejected have "
              + prompt.length
              + ", "
              + chosen.length
              + " and "
              + rejected.length
              + " tokens; at least 1 each");
    }
  }

  @Override
  public int rows() {
    return prompt.length + chosen.length + rejected.length;
  }

  @Override
  public double weight() {
    return 1;
  }

  @Override
  public long fingerprint() {
    long key = Keys.of(prompt.length, chosen.length, rejected.length);
    for (int[] part : new int[][] {prompt, chosen, rejected}) {
      for (int id : part) {
        key = Keys.of(key, id);
      }
    }
    return key;
  }
}
