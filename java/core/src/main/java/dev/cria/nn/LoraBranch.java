package dev.cria.nn;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Tensor;

/**
 * A low-rank addition to a linear layer: y = x W^T + scale * drop(x) A^T B^T (Hu et al. 2021).
 *
 * @param a f32 [R,K]
 * @param b f32 [N,R]
 * @param scale usually alpha / R
 * @param dropout probability in [0,1) with which an element of x is dropped; 0 in evaluation
 */
public record LoraBranch(Parameter a, Parameter b, float scale, float dropout) {
  /** Checks shapes and the probability. */
  public LoraBranch {
    Tensor av = a.value();
    Tensor bv = b.value();
    if (av.rank() != 2
        || bv.rank() != 2
        || av.dtype() != DType.F32
        || bv.dtype() != DType.F32
        || av.dim(0) != bv.dim(1)
        || av.dim(0) < 1) {
      throw new CriaException(
          "lora: A f32[R, K] and B f32[N, R] expected, got " + av + " and " + bv);
    }
    if (!(dropout >= 0 && dropout < 1)) {
      throw new CriaException("lora: dropout is " + dropout + ", expected in [0, 1)");
    }
  }

  /** R. */
  public long rank() {
    return a.value().dim(0);
  }

  /** The same branch with another dropout probability. */
  public LoraBranch withDropout(float probability) {
    return probability == dropout ? this : new LoraBranch(a, b, scale, probability);
  }
}
