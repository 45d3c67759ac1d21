package dev.cria;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * How often each native function was called and how long the calls took, the way from Java and back
 * included. Off unless {@link #enable} is called first; then each call costs two readings of the
 * clock more. A device that works beside the caller, like a GPU, shows here only what it takes to
 * start its work.
 */
public final class Profile {
  /**
   * The calls of one function since the last {@link #reset}.
   *
   * @param name of the function in {@code cria.h}
   * @param calls how many
   * @param seconds of all of them
   */
  public record Entry(String name, long calls, double seconds) {}

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
              Profile.class,
              "finish",
              MethodType.methodType(
                  int.class, Counter.class, Throwable.class, int.class, long.class));
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private Profile() {}

  /** Counts the calls of every native function that is first used after this. */
  public static void enable() {
    enabled = true;
  }

  /** Forgets the calls so far. */
  public static void reset() {
    COUNTERS.values().forEach(Profile::clear);
  }

  /** The functions called since the last {@link #reset}, the one that took longest first. */
  public static List<Entry> entries() {
    return COUNTERS.entrySet().stream()
        .map(e -> new Entry(e.getKey(), e.getValue().calls.sum(), e.getValue().nanos.sum() * 1e-9))
        .filter(e -> e.calls() > 0)
        .sorted(Comparator.comparingDouble(Entry::seconds).reversed())
        .toList();
  }

  /** Seconds in the functions of these names since the last {@link #reset}. */
  public static double seconds(String... names) {
    List<String> wanted = List.of(names);
    return entries().stream()
        .filter(e -> wanted.contains(e.name()))
        .mapToDouble(Entry::seconds)
        .sum();
  }

  /** Seconds in all functions since the last {@link #reset}. */
  public static double seconds() {
    return entries().stream().mapToDouble(Entry::seconds).sum();
  }

  /** For the bindings: the function itself, or one that also counts. It returns a status. */
  public static MethodHandle counted(String name, MethodHandle function) {
    if (!enabled) {
      return function;
    }
    Counter counter = COUNTERS.computeIfAbsent(name, n -> new Counter());
    MethodHandle timed =
        MethodHandles.tryFinally(
            MethodHandles.dropArguments(function, 0, long.class), FINISH.bindTo(counter));
    return MethodHandles.foldArguments(timed, CLOCK);
  }

  private static void clear(Counter counter) {
    counter.calls.reset();
    counter.nanos.reset();
  }

  @SuppressWarnings("unused") // by FINISH
  private static int finish(Counter counter, @Nullable Throwable thrown, int status, long start) {
    counter.nanos.add(System.nanoTime() - start);
    counter.calls.increment();
    return status;
  }
}
