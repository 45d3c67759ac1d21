package dev.cria.bench;

/** The product y = x W^T of float32 matrices x [m,k] and W [n,k], by some library. */
interface Gemm extends AutoCloseable {
  /** Computes y [m,n]. */
  void multiply();

  /** The product computed last, row by row. */
  float[] result();

  @Override
  void close();
}
