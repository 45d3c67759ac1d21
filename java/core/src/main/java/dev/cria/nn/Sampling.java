package dev.cria.nn;

import dev.cria.CriaException;

/**
 * How the next token is drawn.
 *
 * @param temperature divides the logits; 0 takes the largest (the lowest id on ties)
 * @param topK keeps the likeliest k tokens; 0 keeps all
 * @param topP then keeps the smallest set of likeliest tokens that together reach this probability;
 *     1 keeps all (Holtzman et al. 2020)
 */
public record Sampling(float temperature, int topK, float topP) {
  /** Checks the ranges. */
  public Sampling {
    if (!(temperature >= 0) || Float.isInfinite(temperature)) {
      throw new CriaException("sampling: temperature is " + temperature + ", at least 0 expected");
    }
    if (topK < 0) {
      throw new CriaException("sampling: top-k is " + topK + "; 0 keeps all tokens");
    }
    if (!(topP > 0 && topP <= 1)) {
      throw new CriaException("sampling: top-p is " + topP + ", expected in (0, 1]");
    }
  }

  /** Always the likeliest token. */
  public static Sampling greedy() {
    return new Sampling(0f, 0, 1f);
  }
}
