package dev.cria.nn;

import dev.cria.CriaException;
import dev.cria.DType;

/** The matrix W [N,K] of a linear layer y = x W^T: f32 or bf16, or quantised to 4 bits. */
public sealed interface Weight permits Weight.Dense, Weight.Nf4 {
  /** N. */
  long outFeatures();

  /** K. */
  long inFeatures();

  /** Bytes that the weight takes on its device. */
  long byteSize();

  /**
   * BF16 where a device may round activations to bf16 before it multiplies them with this matrix,
   * else F32.
   */
  DType precision();

  /**
   * A matrix of f32 or bf16 numbers, which may be trained.
   *
   * @param parameter [N,K]
   */
  record Dense(Parameter parameter) implements Weight {
    /** Checks the rank. */
    public Dense {
      if (parameter.value().rank() != 2) {
        throw new CriaException("weight: a matrix expected, got " + parameter);
      }
    }

    @Override
    public long outFeatures() {
      return parameter.value().dim(0);
    }

    @Override
    public long inFeatures() {
      return parameter.value().dim(1);
    }

    @Override
    public long byteSize() {
      return parameter.value().byteSize();
    }

    @Override
    public DType precision() {
      return parameter.value().dtype();
    }
  }

  /**
   * A quantised matrix; never trained itself.
   *
   * @param matrix [N,K]
   */
  record Nf4(Nf4Matrix matrix) implements Weight {
    @Override
    public long outFeatures() {
      return matrix.rows();
    }

    @Override
    public long inFeatures() {
      return matrix.columns();
    }

    @Override
    public long byteSize() {
      return matrix.byteSize();
    }

    @Override
    public DType precision() {
      return DType.BF16;
    }
  }
}
