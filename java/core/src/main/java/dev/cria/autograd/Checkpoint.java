package dev.cria.autograd;

import dev.cria.Scope;
import dev.cria.Tensor;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Recomputation: a block runs without recording, keeping only its input, and runs once more, now
 * recorded, when its gradient is due. Costs a second forward pass and saves the block's memory.
 */
public final class Checkpoint {
  private Checkpoint() {}

  /**
   * Runs a block.
   *
   * @param block a function that gives the same bits each time (dropout keys come from outside). It
   *     may use parameters and constants of its own, but a tensor that was computed under the
   *     present tape must come in as {@code input}
   * @param input the tensor the block starts from
   */
  public static Tensor run(Function<Tensor, Tensor> block, Tensor input) {
    Tape tape = Tape.current();
    if (tape == null) {
      return compute(block, input);
    }
    // A tensor object of its own, should the block return its input.
    Tensor output = Tape.pause(() -> compute(block, input)).detach();
    tape.append(
        g -> recompute(tape, block, input, g), output, new @Nullable Tensor[] {input}, input);
    return output;
  }

  private static Tensor compute(Function<Tensor, Tensor> block, Tensor input) {
    try (Scope scope = Scope.open()) {
      return scope.promote(block.apply(input));
    }
  }

  private static void recompute(
      Tape outer, Function<Tensor, Tensor> block, Tensor input, Gradients g) {
    Tensor leaf = input.detach();
    try (Tape tape = Tape.recordInside(outer)) {
      if (g.wanted(0)) {
        tape.watch(leaf);
      }
      Tensor output = compute(block, leaf);
      if (tape.needsGradient(output)) {
        tape.backward(output, g.output());
        if (g.wanted(0)) {
          g.give(0, tape.gradient(leaf));
        }
      }
    }
  }
}
