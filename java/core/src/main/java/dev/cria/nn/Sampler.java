package dev.cria.nn;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.internal.Random;

/** Draws tokens from logits. */
public final class Sampler {
  private Sampler() {}

  /**
   * Draws a token for each row; the same logits, settings and key give the same tokens.
   *
   * @param logits f32 [rows, V]
   */
  public static int[] sample(Tensor logits, Sampling sampling, long key) {
    if (logits.rank() != 2 || logits.dtype() != DType.F32) {
      throw new CriaException("sample: logits f32[rows, V] expected, got " + logits);
    }
    try (Scope scope = Scope.open()) {
      Tensor tokens = Tensor.empty(logits.device(), DType.I32, logits.dim(0));
      Random.sample(
          logits.device().queue(),
          logits.dim(0),
          logits.dim(1),
          logits.address(),
          sampling.temperature(),
          sampling.topK(),
          sampling.topP(),
          key,
          tokens.address());
      return tokens.toInts();
    }
  }
}
