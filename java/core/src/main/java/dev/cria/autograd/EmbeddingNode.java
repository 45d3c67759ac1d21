package dev.cria.autograd;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.internal.Transformer;
import org.jspecify.annotations.Nullable;

/** Rows of a table by id; the backward step adds to the rows that were used. */
record EmbeddingNode(Tensor ids, long vocabulary, long width) implements Node {
  static Tensor forward(Tensor table, Tensor ids) {
    if (table.rank() != 2 || (table.dtype() != DType.F32 && table.dtype() != DType.BF16)) {
      throw new CriaException("embedding: table f32 or bf16 [V, C] expected, got " + table);
    }
    if (ids.rank() != 1 || ids.dtype() != DType.I32) {
      throw new CriaException("embedding: ids i32[T] expected, got " + ids);
    }
    long v = table.dim(0);
    long c = table.dim(1);
    Tensor y = Tensor.empty(table.device(), DType.F32, ids.size(), c);
    Transformer.embedding(
        table.device().queue(),
        ids.size(),
        v,
        c,
        table.dtype().code(),
        table.address(),
        ids.address(),
        y.address());
    Tape tape = Tape.tracking(table);
    if (tape != null) {
      tape.append(new EmbeddingNode(ids, v, c), y, new @Nullable Tensor[] {table}, ids);
    }
    return y;
  }

  @Override
  public void backward(Gradients g) {
    if (g.wanted(0)) {
      Tensor dy = g.output();
      Transformer.embeddingBwd(
          dy.device().queue(),
          ids.size(),
          vocabulary,
          width,
          ids.address(),
          dy.address(),
          g.sum(0).address());
    }
  }
}
