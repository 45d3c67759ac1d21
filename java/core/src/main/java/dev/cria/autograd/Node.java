package dev.cria.autograd;

/**
 * The backward half of a recorded operation. An instance serves one call: it keeps what it needs in
 * fields, and lists the tensors among it when it is appended so that their memory survives.
 *
 * <p>An operation of your own looks like this:
 *
 * <pre>{@code
 * static Tensor cube(Tensor x) {
 *   Tensor y = Tape.pause(() -> Ops.mul(Ops.square(x), x));
 *   Tape tape = Tape.current();
 *   if (tape != null && tape.needsGradient(x)) {
 *     tape.append(
 *         g -> g.give(0, Ops.mul(g.output(), Ops.mulScalar(Ops.square(x), 3f))),
 *         y, new Tensor[] {x}, x);
 *   }
 *   return y;
 * }
 * }</pre>
 */
@FunctionalInterface
public interface Node {
  /**
   * Adds the gradients of the inputs, given those of the outputs. Nothing is recorded meanwhile;
   * tensors made here are freed afterwards unless they are given away.
   */
  void backward(Gradients gradients);
}
