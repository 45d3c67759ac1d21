package dev.cria.llm.checkpoint;

import dev.cria.DType;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.autograd.Ops;
import dev.cria.llm.Llama;
import dev.cria.llm.Weights;
import dev.cria.llm.lora.Adapter;
import dev.cria.nn.LoraBranch;
import dev.cria.nn.Nf4Matrix;
import dev.cria.nn.Parameter;
import dev.cria.nn.Weight;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The tensors a model is stored as, each made when it is written: at most one matrix at a time. */
final class ModelTensors implements AutoCloseable {
  private static final int NF4_BLOCK = 64;
  private static final int NESTED_BLOCK = 256;

  private final Llama model;
  private final @Nullable Adapter merged;
  private final boolean quantized;
  private final @Nullable DType dense; // null: as in memory
  private final DType rest;
  private @Nullable String exportedName;
  private Nf4Matrix.@Nullable Parts exported;
  private @Nullable Arena exportedMemory;

  ModelTensors(Llama model, Weights form, @Nullable Adapter merged) {
    this.model = model;
    this.merged = merged;
    DType embedding = model.head().parameter().value().dtype();
    this.quantized =
        switch (form) {
          case NF4, NF4_F32 -> true;
          case AS_STORED -> model.quantized() && merged == null;
          case F32, BF16 -> false;
        };
    this.rest =
        switch (form) {
          case F32, NF4_F32 -> DType.F32;
          case BF16 -> DType.BF16;
          case NF4 -> model.quantized() ? embedding : DType.BF16;
          case AS_STORED -> embedding;
        };
    this.dense = form == Weights.AS_STORED ? (model.quantized() ? DType.BF16 : null) : rest;
  }

  boolean quantized() {
    return quantized;
  }

  /** Whether the scales of the matrices are quantised too, which is one answer for all of them. */
  boolean doubleQuantized() {
    Weight first = model.linears().values().iterator().next();
    return !(first instanceof Weight.Nf4 nf4) || nf4.matrix().nestedBlockSize() > 0;
  }

  /** PyTorch's name of the type of everything that is not NF4. */
  String torchType() {
    return rest == DType.F32 ? "float32" : "bfloat16";
  }

  /** All tensors in the order of the model. */
  List<StoredTensor> list() {
    List<StoredTensor> list = new ArrayList<>();
    Map<String, Weight> linears = model.linears();
    int block = -1;
    // Embedding, then block by block gains and matrices, then final gain and head.
    for (Parameter parameter : model.parameters().values()) {
      String name = parameter.name();
      if (linears.containsKey(name.replaceFirst("\\.weight$", ""))) {
        continue;
      }
      if (name.endsWith("input_layernorm.weight")) {
        block++;
        String path = "model.layers." + block + ".";
        linears.forEach(
            (module, weight) -> {
              if (module.startsWith(path)) {
                addMatrix(list, module, weight);
              }
            });
      }
      Tensor value = parameter.value();
      list.add(plain(name, rest, value.shape(), () -> value));
    }
    return list;
  }

  private void addMatrix(List<StoredTensor> list, String module, Weight weight) {
    String name = module + ".weight";
    long[] shape = {weight.outFeatures(), weight.inFeatures()};
    if (!quantized) {
      DType held = weight instanceof Weight.Dense d ? d.parameter().value().dtype() : DType.BF16;
      list.add(plain(name, dense == null ? held : dense, shape, () -> value(module, weight)));
      return;
    }
    boolean keep = weight instanceof Weight.Nf4 && !changes(module);
    int block = NF4_BLOCK;
    int nested = NESTED_BLOCK;
    if (keep && weight instanceof Weight.Nf4 nf4) {
      block = nf4.matrix().blockSize();
      nested = nf4.matrix().nestedBlockSize();
    }
    long blocks = ceilDiv(shape[0] * shape[1], block);
    long codes = ceilDiv(shape[0] * shape[1], 2);
    list.add(bytes(name, "U8", new long[] {codes, 1}, codes, () -> parts(module, weight).codes()));
    if (nested > 0) {
      list.add(
          bytes(
              name + BitsAndBytes.ABSMAX,
              "U8",
              new long[] {blocks},
              blocks,
              () -> required(parts(module, weight).absmaxCodes())));
      list.add(
          floats(
              name + BitsAndBytes.NESTED_ABSMAX,
              ceilDiv(blocks, nested),
              () -> required(parts(module, weight).nestedAbsmax())));
      list.add(
          floats(
              name + BitsAndBytes.NESTED_MAP,
              256,
              () -> required(parts(module, weight).nestedMap())));
    } else {
      list.add(
          floats(
              name + BitsAndBytes.ABSMAX, blocks, () -> required(parts(module, weight).absmax())));
    }
    list.add(floats(name + BitsAndBytes.MAP, 16, () -> parts(module, weight).codeMap()));
    // The offset stands in the JSON, whose length is needed before: it is made at once.
    byte[] state = BitsAndBytes.state(parts(module, weight), torchType());
    list.add(
        bytes(
            name + BitsAndBytes.STATE_NF4,
            "U8",
            new long[] {state.length},
            state.length,
            () -> MemorySegment.ofArray(state)));
  }

  private boolean changes(String module) {
    return merged != null && merged.branch(module, false) != null;
  }

  /** Parts of a matrix; those of the last one asked for are kept. */
  @SuppressWarnings("MustBeClosedChecker") // lives until the next matrix or close()
  private Nf4Matrix.Parts parts(String module, Weight weight) {
    if (exported != null && module.equals(exportedName)) {
      return exported;
    }
    close();
    Arena memory = Arena.ofConfined();
    exportedMemory = memory;
    Nf4Matrix.Parts parts;
    if (weight instanceof Weight.Nf4 nf4 && !changes(module)) {
      parts = nf4.matrix().export(memory);
    } else {
      try (Scope scope = Scope.open();
          Nf4Matrix matrix = Nf4Matrix.quantize(value(module, weight), NF4_BLOCK, true)) {
        parts = matrix.export(memory);
      }
    }
    exported = parts;
    exportedName = module;
    return parts;
  }

  /** Frees the parts of the last matrix. */
  @Override
  public void close() {
    exported = null;
    if (exportedMemory != null) {
      exportedMemory.close();
      exportedMemory = null;
    }
  }

  /** The dense matrix with the adapter added, in the current scope. */
  private Tensor value(String module, Weight weight) {
    Tensor base =
        weight instanceof Weight.Nf4 nf4
            ? nf4.matrix().dequantize(DType.F32)
            : ((Weight.Dense) weight).parameter().value();
    LoraBranch branch = merged == null ? null : merged.branch(module, false);
    if (branch == null) {
      return base;
    }
    Tensor product = Ops.matmul(branch.b().value(), branch.a().value());
    Tensor wide = base.dtype() == DType.F32 ? base : base.to(DType.F32);
    return Ops.add(wide, Ops.mulScalar(product, branch.scale()));
  }

  private interface Values {
    Tensor make();
  }

  private interface Bytes {
    MemorySegment make();
  }

  private interface Floats {
    float[] make();
  }

  private static StoredTensor plain(String name, DType dtype, long[] shape, Values values) {
    long size = dtype.bytes();
    for (long d : shape) {
      size *= d;
    }
    return new StoredTensor(
        name,
        dtype.name(),
        shape,
        size,
        writer -> {
          try (Scope scope = Scope.open()) {
            Tensor value = values.make();
            writer.write(name, value.dtype() == dtype ? value : value.to(dtype));
          }
        });
  }

  private static StoredTensor bytes(
      String name, String dtype, long[] shape, long size, Bytes bytes) {
    return new StoredTensor(name, dtype, shape, size, writer -> writer.write(name, bytes.make()));
  }

  private static StoredTensor floats(String name, long count, Floats floats) {
    return new StoredTensor(
        name,
        "F32",
        new long[] {count},
        4 * count,
        writer -> {
          writer.write(name, FloatBytes.of(floats.make()));
        });
  }

  private static <T> T required(@Nullable T part) {
    if (part == null) {
      throw new IllegalStateException("an NF4 matrix lacks a part of its format");
    }
    return part;
  }

  private static long ceilDiv(long a, long b) {
    return (a + b - 1) / b;
  }
}
