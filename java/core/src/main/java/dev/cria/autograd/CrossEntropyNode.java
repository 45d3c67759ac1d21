package dev.cria.autograd;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.internal.Losses;
import dev.cria.nn.Weight;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * Head and cross-entropy in one: gradients come out of the pass that makes the logits, are kept
 * (for h [T,C] and, if it is trained, for the head [V,C]) and scaled in the backward step.
 */
record CrossEntropyNode(@Nullable Tensor dh, @Nullable Tensor dw) implements Node {
  static Tensor forward(
      Tensor h, Weight.Dense head, Tensor labels, @Nullable Tensor weights, float gradScale) {
    Tensor w = head.parameter().value();
    checkHead("linearCrossEntropy", h, w, labels);
    if (weights != null) {
      Check.shape("linearCrossEntropy", "weights", weights, DType.F32, h.dim(0));
    }
    Tape tape = Tape.tracking(h, w);
    boolean needH = tape != null && tape.needsGradient(h);
    boolean needW = tape != null && tape.needsGradient(w);
    Tensor dh = needH ? Tensor.empty(h.device(), DType.F32, h.shape()) : null;
    Tensor dw = needW ? Tensor.zeros(h.device(), DType.F32, w.shape()) : null;
    Tensor loss;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment sum = arena.allocate(ValueLayout.JAVA_DOUBLE);
      call(h, w, labels, weights, gradScale, sum, null, dh, dw);
      loss = Tensor.scalar(h.device(), (float) sum.get(ValueLayout.JAVA_DOUBLE, 0));
    }
    if (tape != null) {
      CrossEntropyNode node = new CrossEntropyNode(dh, dw);
      if (dh != null && dw != null) {
        tape.append(node, loss, new @Nullable Tensor[] {h, w}, dh, dw);
      } else if (dh != null) {
        tape.append(node, loss, new @Nullable Tensor[] {h, w}, dh);
      } else if (dw != null) {
        tape.append(node, loss, new @Nullable Tensor[] {h, w}, dw);
      }
    }
    return loss;
  }

  /** Losses of the rows [T], without gradients. */
  static Tensor rows(Tensor h, Weight.Dense head, Tensor labels) {
    Tensor w = head.parameter().value();
    checkHead("crossEntropyRows", h, w, labels);
    Tensor losses = Tensor.empty(h.device(), DType.F32, h.dim(0));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment sum = arena.allocate(ValueLayout.JAVA_DOUBLE);
      call(h, w, labels, null, 0f, sum, losses, null, null);
    }
    return losses;
  }

  private static void call(
      Tensor h,
      Tensor w,
      Tensor labels,
      @Nullable Tensor weights,
      float gradScale,
      MemorySegment sum,
      @Nullable Tensor losses,
      @Nullable Tensor dh,
      @Nullable Tensor dw) {
    Losses.linearCrossEntropy(
        h.device().queue(),
        h.dim(0),
        h.dim(1),
        w.dim(0),
        w.dtype().code(),
        w.address(),
        h.address(),
        labels.address(),
        Tensor.address(weights),
        gradScale,
        sum,
        Tensor.address(losses),
        Tensor.address(dh),
        Tensor.address(dw));
  }

  static void checkHead(String operation, Tensor h, Tensor w, Tensor labels) {
    Check.matrix(operation, h);
    if (h.dim(1) != w.dim(1)) {
      throw new CriaException(operation + ": inner dimensions differ: " + h + " x " + w + "^T");
    }
    Check.shape(operation, "labels", labels, DType.I32, h.dim(0));
  }

  @Override
  public void backward(Gradients g) {
    float scale = g.output().item();
    scaleAndAdd(g, 0, scale, dh);
    scaleAndAdd(g, 1, scale, dw);
  }

  /** The kept tensor is this node's alone: unscaled, it is handed over instead of copied. */
  private static void scaleAndAdd(Gradients g, int input, float scale, @Nullable Tensor kept) {
    if (kept != null && scale == 1f) {
      g.give(input, kept);
    } else if (kept != null) {
      g.add(input, scale, kept);
    }
  }
}
