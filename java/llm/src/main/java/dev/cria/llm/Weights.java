package dev.cria.llm;

/**
 * In which form a model holds its matrices in memory. The gains of the norms are float32 in every
 * form.
 */
public enum Weights {
  /** As the checkpoint stores them; float16 becomes float32, which holds every float16 exactly. */
  AS_STORED,
  /** Float32; a stored NF4 matrix is dequantised. */
  F32,
  /** Bfloat16, rounded to nearest even; a stored NF4 matrix is dequantised. */
  BF16,
  /**
   * The seven matrices of each block in NF4 (blocks of 64, double quantisation; a matrix that is
   * stored as NF4 is taken as it is), embedding and head in bfloat16.
   */
  NF4,
  /** As {@link #NF4}, with embedding and head in float32. */
  NF4_F32
}
