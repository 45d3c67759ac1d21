package dev.cria.autograd;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.internal.Linear;
import dev.cria.nn.LoraBranch;
import dev.cria.nn.Weight;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * y = x W^T + scale * drop(x) A^T B^T. What is frozen costs nothing: x is kept only for the
 * gradients of W and A, t = drop(x) A^T only for that of B.
 */
record LinearNode(
    Weight weight,
    @Nullable LoraBranch lora,
    long key,
    long rows,
    @Nullable Tensor x,
    @Nullable Tensor t)
    implements Node {
  private static final int X = 0;
  private static final int W = 1;
  private static final int A = 2;
  private static final int B = 3;

  static Tensor forward(Tensor x, Weight weight, @Nullable LoraBranch lora, long key) {
    check(x, weight, lora);
    long m = x.dim(0);
    Tensor y = Tensor.empty(x.device(), DType.F32, m, weight.outFeatures());
    Tensor t = lora == null ? null : Tensor.empty(x.device(), DType.F32, m, lora.rank());
    Tensor a = lora == null ? null : lora.a().value();
    Tensor b = lora == null ? null : lora.b().value();
    Tensor w = weight instanceof Weight.Dense dense ? dense.parameter().value() : null;
    new LinearNode(weight, lora, key, m, x, t).multiply(y);
    Tape tape = Tape.tracking(x, w, a, b);
    if (tape == null) {
      if (t != null) {
        t.close();
      }
      return y;
    }
    boolean keepX = tape.needsGradient(w) || tape.needsGradient(a);
    boolean keepT = tape.needsGradient(b);
    List<Tensor> kept = new ArrayList<>();
    addIf(kept, keepX, x);
    addIf(kept, keepT, t);
    addIf(kept, true, w);
    addIf(kept, true, a);
    addIf(kept, true, b);
    if (t != null && !keepT) {
      t.close();
    }
    tape.append(
        new LinearNode(weight, lora, key, m, keepX ? x : null, keepT ? t : null),
        y,
        new @Nullable Tensor[] {x, w, a, b},
        kept.toArray(Tensor[]::new));
    return y;
  }

  private static void addIf(List<Tensor> kept, boolean wanted, @Nullable Tensor tensor) {
    if (wanted && tensor != null) {
      kept.add(tensor);
    }
  }

  private static void check(Tensor x, Weight weight, @Nullable LoraBranch lora) {
    Check.matrix("linear", x);
    if (x.dim(1) != weight.inFeatures()) {
      throw new CriaException(
          "linear: inner dimensions differ: "
              + x
              + " x ["
              + weight.outFeatures()
              + ", "
              + weight.inFeatures()
              + "]^T");
    }
    if (lora != null
        && (lora.a().value().dim(1) != weight.inFeatures()
            || lora.b().value().dim(0) != weight.outFeatures())) {
      throw new CriaException(
          "linear: adapter A "
              + lora.a().value()
              + ", B "
              + lora.b().value()
              + " does not fit a weight ["
              + weight.outFeatures()
              + ", "
              + weight.inFeatures()
              + "]");
    }
  }

  private long rank() {
    return lora == null ? 0 : lora.rank();
  }

  private MemorySegment a() {
    return lora == null ? MemorySegment.NULL : lora.a().value().address();
  }

  private MemorySegment b() {
    return lora == null ? MemorySegment.NULL : lora.b().value().address();
  }

  private float scale() {
    return lora == null ? 0f : lora.scale();
  }

  private float dropout() {
    return lora == null ? 0f : lora.dropout();
  }

  private void multiply(Tensor y) {
    MemorySegment queue = y.device().queue();
    MemorySegment xs = Tensor.address(x);
    MemorySegment ts = Tensor.address(t);
    switch (weight) {
      case Weight.Nf4 nf4 ->
          Linear.nf4Linear(
              queue,
              nf4.matrix().handle(),
              rows,
              xs,
              rank(),
              a(),
              b(),
              scale(),
              dropout(),
              key,
              ts,
              y.address());
      case Weight.Dense dense ->
          Linear.linear(
              queue,
              rows,
              weight.outFeatures(),
              weight.inFeatures(),
              dense.parameter().value().dtype().code(),
              dense.parameter().value().address(),
              xs,
              rank(),
              a(),
              b(),
              scale(),
              dropout(),
              key,
              ts,
              y.address());
    }
  }

  @Override
  public void backward(Gradients g) {
    Tensor dy = g.output();
    MemorySegment queue = dy.device().queue();
    int accumulate = g.wanted(X) && g.accumulates(X) ? 1 : 0;
    MemorySegment dx = g.wanted(X) ? g.buffer(X).address() : MemorySegment.NULL;
    MemorySegment da = Tensor.address(g.sumIfWanted(A));
    MemorySegment db = Tensor.address(g.sumIfWanted(B));
    switch (weight) {
      case Weight.Nf4 nf4 ->
          Linear.nf4LinearBwd(
              queue,
              nf4.matrix().handle(),
              rows,
              Tensor.address(x),
              rank(),
              a(),
              b(),
              scale(),
              dropout(),
              key,
              Tensor.address(t),
              dy.address(),
              accumulate,
              dx,
              da,
              db);
      case Weight.Dense dense ->
          Linear.linearBwd(
              queue,
              rows,
              weight.outFeatures(),
              weight.inFeatures(),
              dense.parameter().value().dtype().code(),
              dense.parameter().value().address(),
              Tensor.address(x),
              rank(),
              a(),
              b(),
              scale(),
              dropout(),
              key,
              Tensor.address(t),
              dy.address(),
              accumulate,
              dx,
              Tensor.address(g.sumIfWanted(W)),
              da,
              db);
    }
  }
}
