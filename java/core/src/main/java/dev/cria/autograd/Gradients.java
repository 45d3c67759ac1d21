package dev.cria.autograd;

import dev.cria.CriaException;
import dev.cria.Tensor;
import dev.cria.internal.Elementary;
import org.jspecify.annotations.Nullable;

/**
 * What a node sees of the backward pass: the gradients of its outputs, and the places where those
 * of its inputs go. Inputs and outputs are numbered as in {@link Tape#append}.
 */
@SuppressWarnings("ReferenceEquality") // tensors are compared as objects
public final class Gradients {
  private final Variable[] outputs;
  private final @Nullable Variable[] inputs;

  Gradients(Variable[] outputs, @Nullable Variable[] inputs) {
    this.outputs = outputs;
    this.inputs = inputs;
  }

  /** Gradient of the only (or first) output; to be read, not changed. */
  public Tensor output() {
    Tensor gradient = output(0);
    if (gradient == null) {
      throw new CriaException("backward: output 0 has no gradient");
    }
    return gradient;
  }

  /** Number of outputs. */
  public int outputs() {
    return outputs.length;
  }

  /** Gradient of an output, or null when nothing depends on that output. */
  public @Nullable Tensor output(int index) {
    return outputs[index].gradient();
  }

  /** Whether the gradient of an input is wanted. */
  public boolean wanted(int input) {
    return inputs[input] != null;
  }

  /**
   * Whether {@link #buffer} will hold a gradient already, so that the node must add to it instead
   * of overwriting it. Ask before calling {@code buffer}.
   */
  public boolean accumulates(int input) {
    return variable(input).hasGradient();
  }

  /**
   * Memory for the gradient of an input, f32 of its shape. A node that takes it must write (or, see
   * {@link #accumulates}, add to) all of it.
   */
  public Tensor buffer(int input) {
    return variable(input).buffer();
  }

  /** The same for a node that always adds: fresh memory is filled with zeros. */
  public Tensor sum(int input) {
    Variable variable = variable(input);
    boolean fresh = !variable.hasGradient();
    Tensor buffer = variable.buffer();
    if (fresh) {
      Elementary.fill(buffer.device().queue(), buffer.size(), 0f, buffer.address());
    }
    return buffer;
  }

  /** The same as {@link #sum}, or null when the gradient is not wanted. */
  public @Nullable Tensor sumIfWanted(int input) {
    return wanted(input) ? sum(input) : null;
  }

  /**
   * Adds a tensor made in this backward step, which the node hands over: it must not be read or
   * given again. Ignored if not wanted.
   */
  public void give(int input, Tensor gradient) {
    Variable variable = inputs[input];
    if (variable != null) {
      checkSize(variable, gradient);
      for (Variable output : outputs) {
        if (output.gradient() == gradient) {
          // Not the node's to hand over.
          variable.add(1f, gradient);
          return;
        }
      }
      variable.give(gradient);
    }
  }

  /** Adds {@code alpha * gradient}; the tensor stays the node's. Ignored if not wanted. */
  public void add(int input, float alpha, Tensor gradient) {
    Variable variable = inputs[input];
    if (variable != null) {
      checkSize(variable, gradient);
      variable.add(alpha, gradient);
    }
  }

  /** Adds the gradient of the first output unchanged, without a copy if possible. */
  public void pass(int input) {
    Variable variable = inputs[input];
    if (variable != null) {
      checkSize(variable, output());
      variable.share(outputs[0]);
    }
  }

  /** Number of elements of an input whose gradient is wanted. */
  long inputSize(int input) {
    return variable(input).tensor().size();
  }

  private static void checkSize(Variable variable, Tensor gradient) {
    if (gradient.size() != variable.tensor().size()) {
      throw new CriaException("backward: gradient " + gradient + " for " + variable.tensor());
    }
  }

  private Variable variable(int input) {
    Variable variable = inputs[input];
    if (variable == null) {
      throw new CriaException("backward: the gradient of input " + input + " is not wanted");
    }
    return variable;
  }
}
