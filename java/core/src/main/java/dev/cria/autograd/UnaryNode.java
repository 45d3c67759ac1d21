package dev.cria.autograd;

import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.internal.Elementary;
import org.jspecify.annotations.Nullable;

/**
 * An element-wise function. Keeps the one of x and y = f(x) that its derivative is written with.
 */
record UnaryNode(Function function, Tensor kept) implements Node {
  /** Functions in the order of {@code cria_unary_op}; {@code fromOutput}: f' is a function of y. */
  enum Function {
    NEG(true),
    EXP(true),
    LOG(false),
    SQRT(true),
    SQUARE(false),
    SIGMOID(true),
    LOG_SIGMOID(false),
    SILU(false),
    RELU(false),
    TANH(true),
    ABS(false);

    final boolean fromOutput;

    Function(boolean fromOutput) {
      this.fromOutput = fromOutput;
    }
  }

  static Tensor forward(Function function, Tensor x) {
    Check.f32(function.name().toLowerCase(java.util.Locale.ROOT), x);
    Tensor y = Tensor.empty(x.device(), DType.F32, x.shape());
    Elementary.unary(x.device().queue(), function.ordinal(), x.size(), x.address(), y.address());
    Tape tape = Tape.tracking(x);
    if (tape != null) {
      Tensor kept = function.fromOutput ? y : x;
      tape.append(new UnaryNode(function, kept), y, new @Nullable Tensor[] {x}, kept);
    }
    return y;
  }

  /** dy * f'(x) as a new tensor, where {@code kept} is x or f(x) as the function wants it. */
  static Tensor derivative(Function function, Tensor kept, Tensor dy) {
    Tensor dx = Tensor.empty(dy.device(), DType.F32, kept.shape());
    Elementary.unaryBwd(
        dy.device().queue(),
        function.ordinal(),
        dy.size(),
        kept.address(),
        kept.address(),
        dy.address(),
        dx.address());
    return dx;
  }

  @Override
  public void backward(Gradients g) {
    if (function == Function.NEG) {
      g.add(0, -1f, g.output());
    } else {
      g.give(0, derivative(function, kept, g.output()));
    }
  }
}
