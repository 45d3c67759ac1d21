package dev.cria.llm.checkpoint;

import dev.cria.Tensor;
import dev.cria.nn.Nf4Matrix;
import org.jspecify.annotations.Nullable;

/**
 * Where a model's weights come from: a folder, another format's file, or a random generator. The
 * model asks for one weight at a time and lets go of it before the next, so no more than one
 * unconverted matrix is ever held.
 */
public interface WeightReader {
  /**
   * One weight as F32, BF16 or F16, in the current scope.
   *
   * @param name parameter name, for example {@code model.norm.weight}
   * @param shape the shape the model needs; any other is an error that names both
   */
  Tensor dense(String name, long... shape);

  /**
   * The matrix if it is stored as NF4, else null.
   *
   * @param name parameter name, for example {@code model.layers.0.mlp.up_proj.weight}
   */
  default @Nullable Nf4Matrix nf4(String name, long rows, long columns) {
    return null;
  }
}
