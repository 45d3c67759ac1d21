package dev.cria.autograd;

import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.internal.Elementary;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** An element-wise function y = f(x). */
record UnaryNode(Function function, Tensor x, Tensor y) implements Node {
  /** Functions in the order of {@code cria_unary_op}. */
  enum Function {
    NEG,
    EXP,
    LOG,
    SQRT,
    SQUARE,
    SIGMOID,
    LOG_SIGMOID,
    SILU,
    RELU,
    TANH,
    ABS
  }

  static Tensor forward(Function function, Tensor x) {
    if (x.dtype() != DType.F32) {
      Check.f32(function.name().toLowerCase(Locale.ROOT), x);
    }
    Tensor y = Tensor.empty(x.device(), DType.F32, x.shape());
    Elementary.unary(x.device().queue(), function.ordinal(), x.size(), x.address(), y.address());
    Tape tape = Tape.tracking(x);
    if (tape != null) {
      UnaryNode node = new UnaryNode(function, x, y);
      if (function == Function.NEG) {
        tape.append(node, y, new @Nullable Tensor[] {x});
      } else {
        tape.append(node, y, new @Nullable Tensor[] {x}, x, y);
      }
    }
    return y;
  }

  /** dy * f'(x) as a new tensor. */
  Tensor derivative(Tensor dy) {
    Tensor dx = Tensor.empty(dy.device(), DType.F32, x.shape());
    Elementary.unaryBwd(
        dy.device().queue(),
        function.ordinal(),
        dy.size(),
        x.address(),
        y.address(),
        dy.address(),
        dx.address());
    return dx;
  }

  /** dy where x is positive, else 0; not recorded. */
  static Tensor wherePositive(Tensor x, Tensor dy) {
    return new UnaryNode(Function.RELU, x, forward(Function.RELU, x)).derivative(dy);
  }

  @Override
  public void backward(Gradients g) {
    if (function == Function.NEG) {
      g.add(0, -1f, g.output());
    } else {
      g.give(0, derivative(g.output()));
    }
  }
}
