package dev.cria.bench;

/** A linear layer of a block. */
public enum Projection {
  /** q, k, v and o: C to C. */
  SQUARE,
  /** gate and up: C to the hidden width. */
  UP,
  /** The hidden width to C. */
  DOWN;

  int in(Model model) {
    return this == DOWN ? model.hidden : model.width;
  }

  int out(Model model) {
    return this == UP ? model.hidden : model.width;
  }
}
