package dev.cria.internal;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Random numbers from a counter and sampling of tokens. Arguments as in cria.h; a failing call
 * throws.
 */
public final class Random {
  private static final MethodHandle RANDOM_UNIFORM = Abi.link("cria_random_uniform", "pllffip");
  private static final MethodHandle RANDOM_NORMAL = Abi.link("cria_random_normal", "pllffip");
  private static final MethodHandle SAMPLE = Abi.link("cria_sample", "pllpfiflp");

  private Random() {}

  public static void randomUniform(
      MemorySegment queue, long n, long key, float low, float high, int dtype, MemorySegment x) {
    try {
      Abi.check((int) RANDOM_UNIFORM.invokeExact(queue, n, key, low, high, dtype, x));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void randomNormal(
      MemorySegment queue,
      long n,
      long key,
      float mean,
      float deviation,
      int dtype,
      MemorySegment x) {
    try {
      Abi.check((int) RANDOM_NORMAL.invokeExact(queue, n, key, mean, deviation, dtype, x));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void sample(
      MemorySegment queue,
      long rows,
      long v,
      MemorySegment logits,
      float temperature,
      int topK,
      float topP,
      long key,
      MemorySegment tokens) {
    try {
      Abi.check(
          (int) SAMPLE.invokeExact(queue, rows, v, logits, temperature, topK, topP, key, tokens));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }
}
