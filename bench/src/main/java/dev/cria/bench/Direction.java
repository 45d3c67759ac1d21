package dev.cria.bench;

/** What of a differentiable operation is measured. */
public enum Direction {
  /** The operation alone, outside of a tape. */
  FORWARD,
  /** The gradients of its inputs. The forward pass that it needs is made before, not measured. */
  BACKWARD,
  /** The same for the weight alone. */
  BACKWARD_WEIGHT
}
