package dev.cria.autograd;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.internal.Transformer;
import org.jspecify.annotations.Nullable;

/** Rotary positions (Su et al. 2021), halves of a head paired; the backward step rotates back. */
record RopeNode(Tensor positions, Tensor inverseFrequencies, int heads) implements Node {
  static Tensor forward(Tensor x, int heads, Tensor positions, Tensor inverseFrequencies) {
    Check.matrix("rope", x);
    long half = inverseFrequencies.size();
    if (heads < 1 || x.dim(1) != heads * 2 * half) {
      throw new CriaException(
          "rope: " + x + " is not " + heads + " heads of " + 2 * half + " (two per frequency)");
    }
    Check.f32("rope", inverseFrequencies);
    Check.shape("rope", "positions", positions, DType.I32, x.dim(0));
    RopeNode node = new RopeNode(positions, inverseFrequencies, heads);
    Tensor y = node.rotate(x, 0);
    Tape tape = Tape.tracking(x);
    if (tape != null) {
      tape.append(node, y, new @Nullable Tensor[] {x}, positions, inverseFrequencies);
    }
    return y;
  }

  private Tensor rotate(Tensor x, int inverse) {
    Tensor y = Tensor.empty(x.device(), DType.F32, x.shape());
    Transformer.rope(
        x.device().queue(),
        positions.size(),
        heads,
        2 * inverseFrequencies.size(),
        positions.address(),
        inverseFrequencies.address(),
        inverse,
        x.address(),
        y.address());
    return y;
  }

  @Override
  public void backward(Gradients g) {
    g.give(0, rotate(g.output(), 1));
  }
}
