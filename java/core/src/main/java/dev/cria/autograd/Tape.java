package dev.cria.autograd;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Scope;
import dev.cria.Tensor;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Records the operations of a thread and runs them backward.
 *
 * <pre>{@code
 * try (var scope = Scope.open(); var tape = Tape.record()) {
 *   Tensor loss = Ops.mean(Ops.square(model.apply(x)));
 *   tape.backward(loss);           // adds to the gradients of trainable parameters
 * }
 * }</pre>
 *
 * Only operations with an input that needs a gradient are recorded: trainable parameters with an
 * attached gradient, watched leaves, and what was computed from them. Recorded operations retain
 * the tensors that their backward step needs; a scope opened inside the tape frees all others when
 * it closes. A backward pass consumes the recording and releases each tensor after its last use.
 */
public final class Tape implements AutoCloseable {
  private record Entry(Node node, Variable[] outputs, @Nullable Variable[] inputs, Tensor[] kept) {}

  /** The tape that records on a thread. */
  private static final class Slot {
    @Nullable Tape tape;
  }

  private static final ThreadLocal<Slot> SLOT = ThreadLocal.withInitial(Slot::new);

  private final @Nullable Tape outer;
  private final @Nullable Tape forbidden;
  private final Scope gradients = Scope.detached();
  private final IdentityHashMap<Tensor, Variable> variables = new IdentityHashMap<>();
  private final ArrayList<Entry> entries = new ArrayList<>();
  private boolean closed;

  private Tape(@Nullable Tape outer, @Nullable Tape forbidden) {
    this.outer = outer;
    this.forbidden = forbidden;
  }

  /** Starts recording on this thread, until the tape is closed. */
  public static Tape record() {
    return start(null);
  }

  /** Records a recomputation, which must not use what {@code outer} has recorded. */
  static Tape recordInside(Tape outer) {
    return start(outer);
  }

  private static Tape start(@Nullable Tape forbidden) {
    Slot slot = SLOT.get();
    Tape tape = new Tape(slot.tape, forbidden);
    slot.tape = tape;
    return tape;
  }

  /** The recording tape if it wants a gradient of any of these tensors, else null. */
  static @Nullable Tape tracking(@Nullable Tensor... inputs) {
    Tape tape = SLOT.get().tape;
    if (tape != null) {
      for (Tensor input : inputs) {
        if (tape.needsGradient(input)) {
          return tape;
        }
      }
    }
    return null;
  }

  /** Whether operations of this thread are recorded now. */
  public static boolean recording() {
    return SLOT.get().tape != null;
  }

  /** The tape that records on this thread, or null. */
  public static @Nullable Tape current() {
    return SLOT.get().tape;
  }

  /** Computes without recording. */
  public static <T> T pause(Supplier<T> body) {
    Slot slot = SLOT.get();
    Tape tape = slot.tape;
    slot.tape = null;
    try {
      return body.get();
    } finally {
      slot.tape = tape;
    }
  }

  /**
   * Asks for the gradient of a tensor; call it before the tensor is used.
   *
   * @return the tensor
   */
  public Tensor watch(Tensor tensor) {
    checkOpen();
    Variable variable = variables.get(tensor);
    if (variable == null) {
      variable = new Variable(tensor, gradients, tensor.attachedGradient());
      variables.put(tensor, variable);
    }
    variable.watch();
    return tensor;
  }

  /** Whether a gradient of this tensor is wanted. */
  public boolean needsGradient(@Nullable Tensor tensor) {
    return tensor != null && find(tensor) != null;
  }

  /** Records an operation with one output. */
  public void append(Node node, Tensor output, @Nullable Tensor[] inputs, Tensor... kept) {
    append(node, new Tensor[] {output}, inputs, kept);
  }

  /**
   * Records an operation.
   *
   * @param node its backward half
   * @param outputs new tensors
   * @param inputs tensors that the gradients go to; null for one that is absent
   * @param kept tensors that the node will read, retained until it has run
   */
  public void append(Node node, Tensor[] outputs, @Nullable Tensor[] inputs, Tensor... kept) {
    checkOpen();
    @Nullable Variable[] in = new @Nullable Variable[inputs.length];
    for (int i = 0; i < inputs.length; i++) {
      Tensor input = inputs[i];
      in[i] = input == null ? null : find(input);
    }
    Variable[] out = new Variable[outputs.length];
    for (int i = 0; i < outputs.length; i++) {
      out[i] = new Variable(outputs[i], gradients, null);
      variables.put(outputs[i], out[i]);
    }
    for (Tensor tensor : kept) {
      tensor.retain();
    }
    entries.add(new Entry(node, out, in, kept));
  }

  /** Adds d scalar / d leaf for every leaf. */
  public void backward(Tensor scalar) {
    if (scalar.size() != 1) {
      throw new CriaException(
          "backward: a scalar expected, got " + scalar + "; sum it, or pass the gradient of it");
    }
    try (Scope scope = Scope.open()) {
      backward(scalar, Tensor.full(scalar.device(), 1f, scalar.shape()));
    }
  }

  /** Adds the gradient of every leaf, given that of {@code output}, and consumes the recording. */
  public void backward(Tensor output, Tensor gradient) {
    checkOpen();
    Variable start = find(output);
    if (start == null) {
      throw new CriaException(
          "backward: "
              + output
              + " depends on nothing that needs a gradient; is a parameter trainable, with a gradient buffer attached?");
    }
    if (!gradient.sameShape(output)) {
      throw new CriaException("backward: gradient " + gradient + " for output " + output);
    }
    Slot slot = SLOT.get();
    Tape recording = slot.tape;
    slot.tape = null;
    try {
      start.lend(gradient);
      while (!entries.isEmpty()) {
        Entry entry = entries.removeLast();
        try {
          run(entry);
        } finally {
          release(entry);
        }
      }
    } finally {
      slot.tape = recording;
    }
    // What remains are leaves; they may show memory that the caller lent and will free.
    for (Variable leaf : variables.values()) {
      leaf.own();
    }
  }

  /** The gradient of a watched tensor after {@link #backward}; the tape owns its memory. */
  public Tensor gradient(Tensor watched) {
    Variable variable = variables.get(watched);
    if (variable == null || !variable.isWatched()) {
      throw new CriaException("gradient: " + watched + " is not watched by this tape");
    }
    if (!variable.hasGradient()) {
      try (Scope scope = Scope.open()) {
        variable.give(Tensor.zeros(watched.device(), DType.F32, watched.shape()));
      }
    }
    return variable.buffer();
  }

  /** Stops recording and frees what the tape holds. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    Slot slot = SLOT.get();
    if (slot.tape == this) {
      slot.tape = outer;
    }
    while (!entries.isEmpty()) {
      release(entries.removeLast());
    }
    variables.clear();
    gradients.close();
  }

  private static void run(Entry entry) {
    for (Variable output : entry.outputs) {
      if (output.hasGradient()) {
        try (Scope scope = Scope.open()) {
          entry.node.backward(new Gradients(entry.outputs, entry.inputs));
        }
        return;
      }
    }
  }

  private void release(Entry entry) {
    for (Tensor tensor : entry.kept) {
      tensor.release();
    }
    for (Variable output : entry.outputs) {
      if (!output.isWatched()) {
        output.drop();
        variables.remove(output.tensor());
      }
    }
  }

  private @Nullable Variable find(Tensor tensor) {
    Variable variable = variables.get(tensor);
    if (variable != null) {
      return variable;
    }
    Tensor sink = tensor.attachedGradient();
    if (sink != null) {
      variable = new Variable(tensor, gradients, sink);
      variables.put(tensor, variable);
      return variable;
    }
    if (forbidden != null && forbidden.variables.containsKey(tensor)) {
      throw new CriaException(
          "Checkpoint.run: the block uses "
              + tensor
              + ", which the tape outside has recorded; it must be the input of the block");
    }
    Tensor base = tensor.base();
    if (base != null && find(base) != null) {
      append(new ViewNode(tensor.baseOffset(), tensor.size()), tensor, new Tensor[] {base});
      return variables.get(tensor);
    }
    return null;
  }

  private void checkOpen() {
    if (closed) {
      throw new CriaException("tape: already closed");
    }
  }
}
