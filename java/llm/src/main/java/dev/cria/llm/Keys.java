package dev.cria.llm;

import java.nio.charset.StandardCharsets;

/**
 * Keys of the counter-based random numbers: one 64-bit value for each named use, so that a use
 * depends on the seed and its own name and never on what was drawn before it.
 */
public final class Keys {
  private Keys() {}

  /** Key of a place given by numbers, for example (seed, step, layer, input). */
  public static long of(long seed, long... place) {
    long key = mix(seed + 0x9E3779B97F4A7C15L);
    for (long p : place) {
      key = mix(key ^ mix(p + 0x9E3779B97F4A7C15L));
    }
    return key;
  }

  /** Key of a named thing, for example a weight. */
  public static long of(long seed, String name) {
    long hash = 0xCBF29CE484222325L; // FNV-1a
    for (byte b : name.getBytes(StandardCharsets.UTF_8)) {
      hash = (hash ^ (b & 0xFF)) * 0x100000001B3L;
    }
    return of(seed, hash);
  }

  /** The finaliser of splitmix64 (Steele, Lea, Flood 2014): a bijection that mixes all bits. */
  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
