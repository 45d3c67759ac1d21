package dev.cria.autograd;

import dev.cria.Tensor;
import dev.cria.internal.Elementary;

/**
 * A reshape or a range of rows: the elements from {@code offset} on of the input.
 *
 * @param offset elements skipped
 * @param size elements shown
 */
record ViewNode(long offset, long size) implements Node {
  @Override
  public void backward(Gradients g) {
    Tensor dy = g.output();
    if (!g.wanted(0)) {
      return;
    }
    if (offset == 0 && dy.size() == size && g.inputSize(0) == size) {
      g.pass(0);
      return;
    }
    Tensor part = g.sum(0).reshape(-1).rows(offset, size);
    Elementary.axpby(dy.device().queue(), size, 1f, dy.address(), 1f, part.address());
  }
}
