package dev.cria.llm.train;

import dev.cria.llm.Keys;
import java.util.Arrays;

/**
 * A text with the weight of each of its tokens in the loss.
 *
 * @param origin where it was read
 * @param ids the tokens
 * @param weights weight of each token as a prediction, 0 where it is not learned; that of the first
 *     is not used
 */
public record TextItem(String origin, int[] ids, float[] weights) implements Item {
  /** Checks that there is a weight for each token. */
  public TextItem {
    if (ids.length != weights.length) {
      throw new IllegalArgumentException(
          origin + ": " + ids.length + " tokens but " + weights.length + " weights");
    }
  }

  /** A text in which every token is learned. */
  public static TextItem of(String origin, int... ids) {
    float[] ones = new float[ids.length];
    Arrays.fill(ones, 1);
    return new TextItem(origin, ids, ones);
  }

  @Override
  public int rows() {
    return ids.length;
  }

  @Override
  public double weight() {
    double sum = 0;
    for (int i = 1; i < weights.length; i++) {
      sum += weights[i];
    }
    return sum;
  }

  @Override
  public long fingerprint() {
    long key = Keys.of(ids.length, 0);
    for (int i = 0; i < ids.length; i++) {
      key = Keys.of(key, ids[i], Float.floatToIntBits(weights[i]));
    }
    return key;
  }
}
