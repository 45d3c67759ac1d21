package dev.cria.llm;

import java.lang.foreign.MemorySegment;
import java.util.Set;

/**
 * A checkpoint seen as named matrices that are read a few rows at a time, so that an importer never
 * holds more than one of them. Names are those of Hugging Face LLaMA folders ({@code
 * model.layers.0.self_attn.q_proj.weight}); the rows of {@code q_proj} and {@code k_proj} are in
 * half-split rotary order. A tied model has no {@code lm_head.weight}.
 */
public interface TensorSource extends AutoCloseable {
  /** Names of all tensors, in a stable order. */
  Set<String> names();

  /** Shape of a tensor, row-major: {@code [rows, columns]} for a matrix, {@code [n]} for a gain. */
  long[] shape(String name);

  /**
   * Writes rows {@code row0} to {@code row0 + rows - 1} as native-order f32 to the start of {@code
   * destination}, which must hold {@code rows * columns} floats. A vector is one row.
   */
  void readRows(String name, long row0, long rows, MemorySegment destination);

  @Override
  void close();
}
