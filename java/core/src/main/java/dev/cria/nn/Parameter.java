package dev.cria.nn;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A named weight, f32 or bf16. While it is trainable and has a gradient attached, operations
 * recorded on a tape add its gradient to {@link #grad}. Does not own the memory of its value.
 */
public final class Parameter {
  private final String name;
  private final Tensor value;
  private boolean trainable;
  private @Nullable Tensor grad;

  /** A weight that is not trainable yet. */
  public Parameter(String name, Tensor value) {
    this(name, value, false);
  }

  /** A weight; {@code value} should not be a view that others keep using. */
  public Parameter(String name, Tensor value, boolean trainable) {
    if (value.dtype() != DType.F32 && value.dtype() != DType.BF16) {
      throw new CriaException("parameter " + name + ": f32 or bf16 expected, got " + value);
    }
    this.name = name;
    this.value = value;
    this.trainable = trainable;
  }

  /** Name in checkpoints. */
  public String name() {
    return name;
  }

  /** The weight; always the same tensor. */
  public Tensor value() {
    return value;
  }

  /** Whether a gradient is wanted. */
  public boolean trainable() {
    return trainable;
  }

  /** Switches the gradient on or off. */
  public void setTrainable(boolean trainable) {
    this.trainable = trainable;
    connect();
  }

  /** Where the gradient is added (f32, the shape of the value); null until one is attached. */
  public @Nullable Tensor grad() {
    return grad;
  }

  /** Sets where the gradient is added; null detaches it. */
  public void attachGrad(@Nullable Tensor grad) {
    if (grad != null && (grad.dtype() != DType.F32 || !grad.sameShape(value))) {
      throw new CriaException("parameter " + name + ": gradient " + grad + " for value " + value);
    }
    this.grad = grad;
    connect();
  }

  private void connect() {
    value.attachGradient(trainable ? grad : null);
  }

  @Override
  public String toString() {
    return name + " " + value;
  }
}
