package dev.cria.autograd;

import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.internal.Elementary;
import org.jspecify.annotations.Nullable;

/** y = alpha x + beta for numbers alpha and beta. */
record ScaleNode(float alpha) implements Node {
  static Tensor forward(String operation, Tensor x, float alpha, float beta) {
    Check.f32(operation, x);
    Tensor y = Tensor.empty(x.device(), DType.F32, x.shape());
    if (beta != 0f) {
      y.fill(beta);
    }
    Elementary.axpby(
        x.device().queue(), x.size(), alpha, x.address(), beta == 0f ? 0f : 1f, y.address());
    Tape tape = Tape.tracking(x);
    if (tape != null) {
      tape.append(new ScaleNode(alpha), y, new @Nullable Tensor[] {x});
    }
    return y;
  }

  @Override
  public void backward(Gradients g) {
    if (alpha == 1f) {
      g.pass(0);
    } else {
      g.add(0, alpha, g.output());
    }
  }
}
