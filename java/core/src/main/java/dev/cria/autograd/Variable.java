package dev.cria.autograd;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.internal.Elementary;
import org.jspecify.annotations.Nullable;

/** A tensor that a tape tracks, with its gradient so far. */
final class Variable {
  /** Gradient memory that several variables may show; written in place only by a sole user. */
  private static final class Shared {
    final Tensor tensor;
    final boolean owned;
    int users = 1;

    Shared(Tensor tensor, boolean owned) {
      this.tensor = tensor;
      this.owned = owned;
    }
  }

  private final Tensor tensor;
  private final Scope scope;
  private final @Nullable Tensor sink;
  private boolean watched;
  private @Nullable Shared shared;
  private @Nullable Tensor gradient;

  /**
   * @param scope owner of gradient memory
   * @param sink where the gradient of a leaf is added, if it is attached
   */
  Variable(Tensor tensor, Scope scope, @Nullable Tensor sink) {
    this.tensor = tensor;
    this.scope = scope;
    this.sink = sink;
  }

  Tensor tensor() {
    return tensor;
  }

  void watch() {
    watched = true;
  }

  boolean isWatched() {
    return watched;
  }

  /** The gradient so far, of the shape of the tensor. */
  @Nullable Tensor gradient() {
    return sink != null ? sink : gradient;
  }

  /** Whether there is anything to add to. */
  boolean hasGradient() {
    return sink != null || gradient != null;
  }

  /** Memory to write (or, when {@link #hasGradient} was true, to add) the gradient to. */
  Tensor buffer() {
    if (sink != null) {
      return sink;
    }
    Tensor present = gradient;
    if (present == null) {
      Tensor fresh = Tensor.empty(tensor.device(), DType.F32, tensor.shape());
      set(new Shared(scope.adopt(fresh), true));
      return fresh;
    }
    Shared holder = shared;
    if (holder != null && (holder.users > 1 || !holder.owned)) {
      Tensor own = scope.adopt(present.copy());
      drop();
      set(new Shared(own, true));
      return own;
    }
    return present;
  }

  /** Adds {@code alpha * other}. */
  void add(float alpha, Tensor other) {
    boolean accumulate = hasGradient();
    Tensor to = buffer();
    Elementary.axpby(
        to.device().queue(), to.size(), alpha, other.address(), accumulate ? 1f : 0f, to.address());
  }

  /** Adds a tensor that nobody else needs: without a gradient so far it becomes the gradient. */
  void give(Tensor other) {
    if (hasGradient()) {
      add(1f, other);
    } else {
      set(new Shared(scope.adopt(other), true));
    }
  }

  /** Adds a tensor that stays the caller's. */
  void lend(Tensor other) {
    if (hasGradient()) {
      add(1f, other);
    } else {
      set(new Shared(other, false));
    }
  }

  /** Adds the whole gradient of another variable, sharing its memory where possible. */
  void share(Variable from) {
    Tensor source = from.gradient();
    if (source == null) {
      return;
    }
    Shared holder = from.shared;
    if (hasGradient() || holder == null) {
      add(1f, source);
    } else {
      holder.users++;
      set(holder);
    }
  }

  /** Makes sure that the gradient is memory of this variable alone. */
  void own() {
    if (gradient != null) {
      buffer();
    }
  }

  /** Gives the gradient memory up. */
  void drop() {
    Shared holder = shared;
    if (holder != null) {
      holder.users--;
      if (holder.users == 0 && holder.owned) {
        holder.tensor.close();
      }
      shared = null;
      gradient = null;
    }
  }

  private void set(Shared holder) {
    if (holder.tensor.size() != tensor.size() || holder.tensor.dtype() != DType.F32) {
      throw new CriaException("backward: gradient " + holder.tensor + " for " + tensor);
    }
    shared = holder;
    gradient =
        holder.tensor.sameShape(tensor) ? holder.tensor : holder.tensor.reshape(tensor.shape());
  }
}
