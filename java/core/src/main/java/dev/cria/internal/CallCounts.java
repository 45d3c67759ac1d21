package dev.cria.internal;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/** Counts and times the calls of native functions, those linked after {@link #enable}. */
public final class CallCounts {
  private static final class Counter {
    final LongAdder calls = new LongAdder();
    final LongAdder nanos = new LongAdder();
  }

  private static final Map<String, Counter> COUNTERS = new ConcurrentHashMap<>();
  private static final MethodHandle CLOCK;
  private static final MethodHandle FINISH;
  private static volatile boolean enabled;

  static {
    try {
      MethodHandles.Lookup lookup = MethodHandles.lookup();
      CLOCK = lookup.findStatic(System.class, "nanoTime", MethodType.methodType(long.class));
      FINISH =
          lookup.findStatic(
              CallCounts.class,
              "finish",
              MethodType.methodType(
                  int.class, Counter.class, Throwable.class, int.class, long.class));
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private CallCounts() {}

  public static void enable() {
    enabled = true;
  }

  /** Forgets the calls so far. */
  public static void reset() {
    COUNTERS
        .values()
        .forEach(
            counter -> {
              counter.calls.reset();
              counter.nanos.reset();
            });
  }

  /** Calls and nanoseconds of each function that was called since the last {@link #reset}. */
  public static Map<String, long[]> counts() {
    Map<String, long[]> counts = new TreeMap<>();
    COUNTERS.forEach(
        (name, counter) -> {
          if (counter.calls.sum() > 0) {
            counts.put(name, new long[] {counter.calls.sum(), counter.nanos.sum()});
          }
        });
    return counts;
  }

  /** The function, which returns a status, or one that also counts. */
  static MethodHandle counted(String name, MethodHandle function) {
    if (!enabled) {
      return function;
    }
    Counter counter = COUNTERS.computeIfAbsent(name, n -> new Counter());
    MethodHandle timed =
        MethodHandles.tryFinally(
            MethodHandles.dropArguments(function, 0, long.class), FINISH.bindTo(counter));
    return MethodHandles.foldArguments(timed, CLOCK);
  }

  @SuppressWarnings("unused") // by FINISH
  private static int finish(Counter counter, @Nullable Throwable thrown, int status, long start) {
    counter.nanos.add(System.nanoTime() - start);
    counter.calls.increment();
    return status;
  }
}
