package dev.cria.autograd;

import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.internal.Transformer;
import org.jspecify.annotations.Nullable;

/** An element-wise function of two tensors that broadcast. */
record BinaryNode(Function function, Tensor a, Tensor b) implements Node {
  /** Functions in the order of {@code cria_binary_op}. */
  enum Function {
    ADD,
    SUB,
    MUL,
    DIV,
    MAXIMUM,
    MINIMUM;

    String label() {
      return name().toLowerCase(java.util.Locale.ROOT);
    }
  }

  static Tensor forward(Function function, Tensor a, Tensor b) {
    Tensor y;
    if (function == Function.ADD && a.sameShape(b)) {
      Check.f32("add", a);
      Check.f32("add", b);
      y = Tensor.empty(a.device(), DType.F32, a.shape());
      Transformer.add(a.device().queue(), a.size(), a.address(), b.address(), y.address());
    } else {
      y = compute(function, a, b);
    }
    Tape tape = Tape.tracking(a, b);
    if (tape != null) {
      BinaryNode node = new BinaryNode(function, a, b);
      @Nullable Tensor[] inputs = {a, b};
      if (function == Function.ADD || function == Function.SUB) {
        tape.append(node, y, inputs);
      } else {
        tape.append(node, y, inputs, a, b);
      }
    }
    return y;
  }

  private static Tensor compute(Function function, Tensor a, Tensor b) {
    return Broadcast.compute(function.label(), function.ordinal(), a, b);
  }

  @Override
  public void backward(Gradients g) {
    Tensor dy = g.output();
    switch (function) {
      case ADD -> {
        linear(g, 0, a, 1f);
        linear(g, 1, b, 1f);
      }
      case SUB -> {
        linear(g, 0, a, 1f);
        linear(g, 1, b, -1f);
      }
      case MUL -> {
        if (g.wanted(0)) {
          give(g, 0, a, compute(Function.MUL, dy, b));
        }
        if (g.wanted(1)) {
          give(g, 1, b, compute(Function.MUL, dy, a));
        }
      }
      case DIV -> {
        Tensor da = compute(Function.DIV, dy, b);
        if (g.wanted(1)) {
          Tensor quotient = compute(Function.DIV, a, b);
          g.add(1, -1f, Broadcast.reduce(compute(Function.MUL, da, quotient), b.shape()));
        }
        if (g.wanted(0)) {
          give(g, 0, a, da);
        }
      }
      case MAXIMUM -> select(g, dy, compute(Function.SUB, a, b));
      case MINIMUM -> select(g, dy, compute(Function.SUB, b, a));
    }
  }

  /** The gradient goes to a where the difference is positive, else to b. */
  private void select(Gradients g, Tensor dy, Tensor difference) {
    Tensor toA = UnaryNode.wherePositive(difference, dy);
    if (g.wanted(1)) {
      give(g, 1, b, compute(Function.SUB, dy, toA));
    }
    if (g.wanted(0)) {
      give(g, 0, a, toA);
    }
  }

  private static void linear(Gradients g, int input, Tensor operand, float factor) {
    if (!g.wanted(input)) {
      return;
    }
    Tensor dy = g.output();
    if (!operand.sameShape(dy)) {
      g.add(input, factor, Broadcast.reduce(dy, operand.shape()));
    } else if (factor == 1f) {
      g.pass(input);
    } else {
      g.add(input, factor, dy);
    }
  }

  private static void give(Gradients g, int input, Tensor operand, Tensor gradient) {
    g.give(
        input,
        operand.sameShape(gradient) ? gradient : Broadcast.reduce(gradient, operand.shape()));
  }
}
