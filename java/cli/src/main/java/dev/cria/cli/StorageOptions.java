package dev.cria.cli;

import dev.cria.llm.Weights;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** In which form a model is written. */
final class StorageOptions {
  @Option(
      names = "--dtype",
      paramLabel = "f32|bf16",
      description =
          "Element type of the stored weights (f32 for import and init from full precision).")
  @Nullable Type dtype;

  @Option(
      names = "--quantize",
      paramLabel = "nf4",
      description = "Store the matrices of the blocks as bitsandbytes NF4, matrix by matrix.")
  ModelOptions.@Nullable Quantization quantize;

  @Option(names = "--overwrite", description = "Replace an output folder that exists.")
  boolean overwrite;

  /** Element types of a stored model. */
  enum Type {
    /** Float32. */
    F32,
    /** Bfloat16. */
    BF16
  }

  void check(CriaCommand command) {
    if (dtype != null && quantize != null) {
      throw command.usage("give --dtype or --quantize, not both");
    }
  }

  /** The form, or {@code otherwise} where nothing was asked for. */
  Weights form(Weights otherwise) {
    if (quantize != null) {
      return Weights.NF4;
    }
    return dtype == null ? otherwise : dtype == Type.F32 ? Weights.F32 : Weights.BF16;
  }
}
