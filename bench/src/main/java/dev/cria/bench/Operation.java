package dev.cria.bench;

import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.autograd.Tape;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** An operation on inputs of its own: what the benchmark prepares, measures and clears away. */
abstract class Operation {
  private final Work work;

  private Operation(Work work) {
    this.work = work;
  }

  final Work work() {
    return work;
  }

  /** Before each run, not measured. */
  void before() {}

  /** The run. */
  abstract void run();

  /** After each run, not measured. */
  void after() {}

  /** Runs outside of a tape; what it makes is freed within the measured time, as in a program. */
  static Operation of(Work work, Runnable body) {
    return new Operation(work) {
      @Override
      void run() {
        try (Scope scope = Scope.open()) {
          body.run();
        }
      }
    };
  }

  /** A forward pass outside of a tape. */
  static Operation forward(Work work, Supplier<Tensor> body) {
    return of(work, () -> body.get().address());
  }

  /** The backward pass, of a forward pass that is made before. */
  static Operation backward(
      Work work, List<Tensor> watched, Supplier<Tensor> forward, Tensor gradient) {
    return new Operation(work) {
      private @Nullable Scope scope;
      private @Nullable Tape tape;
      private @Nullable Tensor output;

      @Override
      void before() {
        scope = Scope.open();
        Tape recording = Tape.record();
        tape = recording;
        watched.forEach(recording::watch);
        output = forward.get();
      }

      @Override
      void run() {
        Tape recorded = tape;
        Tensor of = output;
        if (recorded == null || of == null) {
          throw new IllegalStateException("backward: no forward pass");
        }
        recorded.backward(of, gradient);
      }

      @Override
      void after() {
        if (tape != null) {
          tape.close();
        }
        if (scope != null) {
          scope.close();
        }
      }
    };
  }
}
