package dev.cria;

import dev.cria.internal.CallCounts;
import java.util.Comparator;
import java.util.List;

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

  private Profile() {}

  /** Counts the calls of every native function that is first used after this. */
  public static void enable() {
    CallCounts.enable();
  }

  /** Forgets the calls so far. */
  public static void reset() {
    CallCounts.reset();
  }

  /** The functions called since the last {@link #reset}, the one that took longest first. */
  public static List<Entry> entries() {
    return CallCounts.counts().entrySet().stream()
        .map(e -> new Entry(e.getKey(), e.getValue()[0], e.getValue()[1] * 1e-9))
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
}
