package dev.cria.internal;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Embedding, norm, rotary positions, SwiGLU and residual add. Arguments as in cria.h; a failing
 * call throws.
 */
public final class Transformer {
  private static final MethodHandle EMBEDDING = Abi.link("cria_embedding", "plllippp");
  private static final MethodHandle EMBEDDING_BWD = Abi.link("cria_embedding_bwd", "plllppp");
  private static final MethodHandle RMSNORM = Abi.link("cria_rmsnorm", "pllfpppp");
  private static final MethodHandle RMSNORM_BWD = Abi.link("cria_rmsnorm_bwd", "pllppppipp");
  private static final MethodHandle ROPE = Abi.link("cria_rope", "plllppipp");
  private static final MethodHandle SWIGLU = Abi.link("cria_swiglu", "plppp");
  private static final MethodHandle SWIGLU_BWD = Abi.link("cria_swiglu_bwd", "plppppp");
  private static final MethodHandle ADD = Abi.link("cria_add", "plppp");

  private Transformer() {}

  public static void embedding(
      MemorySegment queue,
      long t,
      long v,
      long c,
      int dtype,
      MemorySegment table,
      MemorySegment ids,
      MemorySegment out) {
    try {
      Abi.check((int) EMBEDDING.invokeExact(queue, t, v, c, dtype, table, ids, out));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void embeddingBwd(
      MemorySegment queue,
      long t,
      long v,
      long c,
      MemorySegment ids,
      MemorySegment dout,
      MemorySegment dtable) {
    try {
      Abi.check((int) EMBEDDING_BWD.invokeExact(queue, t, v, c, ids, dout, dtable));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void rmsnorm(
      MemorySegment queue,
      long t,
      long c,
      float eps,
      MemorySegment x,
      MemorySegment gain,
      MemorySegment y,
      MemorySegment invRms) {
    try {
      Abi.check((int) RMSNORM.invokeExact(queue, t, c, eps, x, gain, y, invRms));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void rmsnormBwd(
      MemorySegment queue,
      long t,
      long c,
      MemorySegment x,
      MemorySegment gain,
      MemorySegment invRms,
      MemorySegment dy,
      int accumulateDx,
      MemorySegment dx,
      MemorySegment dgain) {
    try {
      Abi.check(
          (int) RMSNORM_BWD.invokeExact(queue, t, c, x, gain, invRms, dy, accumulateDx, dx, dgain));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void rope(
      MemorySegment queue,
      long t,
      long heads,
      long d,
      MemorySegment positions,
      MemorySegment invFreq,
      int inverse,
      MemorySegment x,
      MemorySegment y) {
    try {
      Abi.check((int) ROPE.invokeExact(queue, t, heads, d, positions, invFreq, inverse, x, y));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void swiglu(
      MemorySegment queue, long n, MemorySegment gate, MemorySegment up, MemorySegment y) {
    try {
      Abi.check((int) SWIGLU.invokeExact(queue, n, gate, up, y));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void swigluBwd(
      MemorySegment queue,
      long n,
      MemorySegment gate,
      MemorySegment up,
      MemorySegment dy,
      MemorySegment dgate,
      MemorySegment dup) {
    try {
      Abi.check((int) SWIGLU_BWD.invokeExact(queue, n, gate, up, dy, dgate, dup));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void add(
      MemorySegment queue, long n, MemorySegment a, MemorySegment b, MemorySegment y) {
    try {
      Abi.check((int) ADD.invokeExact(queue, n, a, b, y));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }
}
