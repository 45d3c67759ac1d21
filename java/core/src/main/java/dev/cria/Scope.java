package dev.cria;

import java.util.ArrayList;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Owns native memory: a new tensor belongs to the innermost open scope of its thread and is freed
 * when that scope closes, unless it was moved elsewhere.
 *
 * <pre>{@code
 * try (var scope = Scope.open()) {
 *   Tensor y = Ops.mul(x, x);      // freed at the end
 *   return scope.promote(Ops.sum(y));  // survives in the scope around this one
 * }
 * }</pre>
 *
 * Long-living things such as model weights live in a {@link #detached} scope, which is on no
 * thread's stack: fill it with {@link #run} or {@link #adopt}. A scope is used by one thread at a
 * time.
 */
public final class Scope implements AutoCloseable {
  private static final ThreadLocal<ArrayList<Scope>> STACK =
      ThreadLocal.withInitial(ArrayList::new);

  private final boolean onStack;
  private @Nullable Storage last;
  private boolean closed;

  private Scope(boolean onStack) {
    this.onStack = onStack;
  }

  /** Opens a scope inside the present one of this thread. */
  public static Scope open() {
    Scope scope = new Scope(true);
    STACK.get().add(scope);
    return scope;
  }

  /** A scope that is not on the stack; it lives until {@link #close}. */
  public static Scope detached() {
    return new Scope(false);
  }

  /** The innermost open scope of this thread. */
  public static Scope current() {
    ArrayList<Scope> stack = STACK.get();
    if (stack.isEmpty()) {
      throw new CriaException(
          "scope: a tensor needs an owner but no scope is open on this thread; wrap the work in try (var scope = Scope.open())");
    }
    return stack.getLast();
  }

  /** Whether a scope is open on this thread. */
  public static boolean isOpen() {
    return !STACK.get().isEmpty();
  }

  /** Runs with this scope as the innermost one, without closing it. */
  public void run(Runnable body) {
    call(
        () -> {
          body.run();
          return this;
        });
  }

  /** Computes with this scope as the innermost one, without closing it. */
  public <T> T call(Supplier<T> body) {
    checkOpen();
    ArrayList<Scope> stack = STACK.get();
    int depth = stack.size();
    stack.add(this);
    try {
      return body.get();
    } finally {
      closeAbove(stack, depth + 1);
      stack.remove(depth);
    }
  }

  /**
   * Hands memory that this scope owns to the scope around it. A tensor that another scope owns
   * stays where it is.
   *
   * @return the tensor
   */
  public Tensor promote(Tensor tensor) {
    Storage storage = tensor.storage();
    if (storage.owner == this) {
      ArrayList<Scope> stack = STACK.get();
      int place = stack.lastIndexOf(this);
      if (place < 1) {
        throw new CriaException("scope: nothing around this scope to promote " + tensor + " to");
      }
      stack.get(place - 1).take(storage);
    }
    return tensor;
  }

  /**
   * Moves the memory of a tensor, with all its views, into this scope.
   *
   * @return the tensor
   */
  public Tensor adopt(Tensor tensor) {
    checkOpen();
    Storage storage = tensor.storage();
    if (storage.isFreed()) {
      throw new CriaException("scope: cannot adopt " + tensor + ": it has been closed");
    }
    take(storage);
    return tensor;
  }

  /** Frees what the scope still owns, newest first; what is retained goes when released. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    if (onStack) {
      ArrayList<Scope> stack = STACK.get();
      int place = stack.lastIndexOf(this);
      if (place < 0) {
        throw new CriaException("scope: closed by another thread than the one that opened it");
      }
      closeAbove(stack, place + 1);
      stack.remove(place);
    }
    free();
  }

  private static void closeAbove(ArrayList<Scope> stack, int depth) {
    while (stack.size() > depth) {
      Scope inner = stack.removeLast();
      if (inner.onStack) {
        inner.free();
      }
    }
  }

  private void free() {
    closed = true;
    RuntimeException failure = null;
    for (Storage storage = last; storage != null; storage = last) {
      remove(storage);
      try {
        storage.freeIfUnused();
      } catch (RuntimeException e) {
        if (failure == null) {
          failure = e;
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }

  private void checkOpen() {
    if (closed) {
      throw new CriaException("scope: already closed");
    }
  }

  /** Makes this scope the owner. */
  void take(Storage storage) {
    Scope owner = storage.owner;
    if (owner == this) {
      return;
    }
    if (owner != null) {
      owner.remove(storage);
    }
    storage.owner = this;
    storage.previous = last;
    if (last != null) {
      last.next = storage;
    }
    last = storage;
  }

  /** Leaves the storage without an owner. */
  void remove(Storage storage) {
    Storage previous = storage.previous;
    Storage next = storage.next;
    if (previous != null) {
      previous.next = next;
    }
    if (next != null) {
      next.previous = previous;
    } else {
      last = previous;
    }
    storage.previous = null;
    storage.next = null;
    storage.owner = null;
  }
}
