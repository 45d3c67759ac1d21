package dev.cria.autograd;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.internal.Elementary;
import org.jspecify.annotations.Nullable;

/** Softmax over the last axis, or its logarithm. */
record SoftmaxNode(Tensor y, boolean log) implements Node {
  static Tensor forward(Tensor x, boolean log) {
    Check.f32("softmax", x);
    if (x.rank() < 1) {
      throw new CriaException("softmax: an axis expected, got " + x);
    }
    Tensor y = Tensor.empty(x.device(), DType.F32, x.shape());
    Elementary.softmax(
        x.device().queue(), rows(x), x.dim(-1), log ? 1 : 0, x.address(), y.address());
    Tape tape = Tape.tracking(x);
    if (tape != null) {
      tape.append(new SoftmaxNode(y, log), y, new @Nullable Tensor[] {x}, y);
    }
    return y;
  }

  private static long rows(Tensor x) {
    return x.dim(-1) == 0 ? 0 : x.size() / x.dim(-1);
  }

  @Override
  public void backward(Gradients g) {
    Tensor dy = g.output();
    Tensor dx = Tensor.empty(dy.device(), DType.F32, y.shape());
    Elementary.softmaxBwd(
        dy.device().queue(),
        rows(y),
        y.dim(-1),
        log ? 1 : 0,
        y.address(),
        dy.address(),
        dx.address());
    g.give(0, dx);
  }
}
