package dev.cria.internal;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** Element-wise operations, reductions, softmax. Arguments as in cria.h; a failing call throws. */
public final class Elementary {
  private static final MethodHandle FILL = Abi.link("cria_fill", "plfp");
  private static final MethodHandle CAST = Abi.link("cria_cast", "plipip");
  private static final MethodHandle AXPBY = Abi.link("cria_axpby", "plfpfp");
  private static final MethodHandle UNARY = Abi.link("cria_unary", "pilpp");
  private static final MethodHandle UNARY_BWD = Abi.link("cria_unary_bwd", "pilpppp");
  private static final MethodHandle BINARY = Abi.link("cria_binary", "piipppppp");
  private static final MethodHandle REDUCE = Abi.link("cria_reduce", "pilllpp");
  private static final MethodHandle SOFTMAX = Abi.link("cria_softmax", "pllipp");
  private static final MethodHandle SOFTMAX_BWD = Abi.link("cria_softmax_bwd", "pllippp");

  private Elementary() {}

  public static void fill(MemorySegment queue, long n, float value, MemorySegment x) {
    try {
      Abi.check((int) FILL.invokeExact(queue, n, value, x));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void cast(
      MemorySegment queue,
      long n,
      int fromDtype,
      MemorySegment from,
      int toDtype,
      MemorySegment to) {
    try {
      Abi.check((int) CAST.invokeExact(queue, n, fromDtype, from, toDtype, to));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void axpby(
      MemorySegment queue, long n, float alpha, MemorySegment x, float beta, MemorySegment y) {
    try {
      Abi.check((int) AXPBY.invokeExact(queue, n, alpha, x, beta, y));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void unary(MemorySegment queue, int op, long n, MemorySegment x, MemorySegment y) {
    try {
      Abi.check((int) UNARY.invokeExact(queue, op, n, x, y));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void unaryBwd(
      MemorySegment queue,
      int op,
      long n,
      MemorySegment x,
      MemorySegment y,
      MemorySegment dy,
      MemorySegment dx) {
    try {
      Abi.check((int) UNARY_BWD.invokeExact(queue, op, n, x, y, dy, dx));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void binary(
      MemorySegment queue,
      int op,
      int rank,
      MemorySegment dims,
      MemorySegment a,
      MemorySegment aStrides,
      MemorySegment b,
      MemorySegment bStrides,
      MemorySegment y) {
    try {
      Abi.check((int) BINARY.invokeExact(queue, op, rank, dims, a, aStrides, b, bStrides, y));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void reduce(
      MemorySegment queue,
      int op,
      long outer,
      long n,
      long inner,
      MemorySegment x,
      MemorySegment y) {
    try {
      Abi.check((int) REDUCE.invokeExact(queue, op, outer, n, inner, x, y));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void softmax(
      MemorySegment queue, long rows, long cols, int log, MemorySegment x, MemorySegment y) {
    try {
      Abi.check((int) SOFTMAX.invokeExact(queue, rows, cols, log, x, y));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void softmaxBwd(
      MemorySegment queue,
      long rows,
      long cols,
      int log,
      MemorySegment y,
      MemorySegment dy,
      MemorySegment dx) {
    try {
      Abi.check((int) SOFTMAX_BWD.invokeExact(queue, rows, cols, log, y, dy, dx));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }
}
