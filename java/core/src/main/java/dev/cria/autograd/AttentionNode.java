package dev.cria.autograd;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.internal.Attention;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/** Causal attention over packed sequences, recomputing scores in the backward step (Dao 2023). */
record AttentionNode(
    Tensor q,
    Tensor k,
    Tensor v,
    Tensor out,
    Tensor logSumExp,
    int heads,
    int kvHeads,
    Sequences sequences,
    float scale,
    DType precision)
    implements Node {
  private static final int MAX_HEAD_WIDTH = 128;

  static Tensor forward(
      Tensor q,
      Tensor k,
      Tensor v,
      int heads,
      int kvHeads,
      Sequences sequences,
      float scale,
      DType precision) {
    Check.matrix("attention", q);
    Check.matrix("attention", k);
    Check.sameShape("attention", k, v);
    if (heads < 1 || kvHeads < 1 || heads % kvHeads != 0) {
      throw new CriaException(
          "attention: " + heads + " query heads over " + kvHeads + " key heads");
    }
    long t = q.dim(0);
    long d = q.dim(1) / heads;
    if (q.dim(1) != d * heads || k.dim(0) != t || k.dim(1) != d * kvHeads) {
      throw new CriaException(
          "attention: queries " + q + " of " + heads + " heads, keys " + k + " of " + kvHeads);
    }
    if (d < 1 || d > MAX_HEAD_WIDTH) {
      throw new CriaException("attention: head width is " + d + ", 1 to 128 expected");
    }
    if (precision != DType.F32 && precision != DType.BF16) {
      throw new CriaException("attention: precision is " + precision + ", F32 or BF16 expected");
    }
    sequences.checkWithin(t);
    Tensor out = Tensor.empty(q.device(), DType.F32, q.shape());
    Tensor lse = Tensor.empty(q.device(), DType.F32, t, heads);
    try (Arena arena = Arena.ofConfined()) {
      Attention.attention(
          q.device().queue(),
          t,
          heads,
          kvHeads,
          d,
          sequences.count(),
          arena.allocateFrom(ValueLayout.JAVA_INT, sequences.table()),
          scale,
          precision.code(),
          q.address(),
          k.address(),
          v.address(),
          out.address(),
          lse.address());
    }
    Tape tape = Tape.tracking(q, k, v);
    if (tape != null) {
      tape.append(
          new AttentionNode(q, k, v, out, lse, heads, kvHeads, sequences, scale, precision),
          out,
          new @Nullable Tensor[] {q, k, v},
          q,
          k,
          v,
          out,
          lse);
    }
    return out;
  }

  @Override
  public void backward(Gradients g) {
    Tensor dy = g.output();
    Tensor dq = Tensor.empty(dy.device(), DType.F32, q.shape());
    Tensor dk = Tensor.empty(dy.device(), DType.F32, k.shape());
    Tensor dv = Tensor.empty(dy.device(), DType.F32, v.shape());
    try (Arena arena = Arena.ofConfined()) {
      Attention.attentionBwd(
          dy.device().queue(),
          q.dim(0),
          heads,
          kvHeads,
          q.dim(1) / heads,
          sequences.count(),
          arena.allocateFrom(ValueLayout.JAVA_INT, sequences.table()),
          scale,
          precision.code(),
          q.address(),
          k.address(),
          v.address(),
          out.address(),
          logSumExp.address(),
          dy.address(),
          dq.address(),
          dk.address(),
          dv.address());
    }
    g.give(0, dq);
    g.give(1, dk);
    g.give(2, dv);
  }
}
