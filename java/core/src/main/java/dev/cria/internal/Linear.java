package dev.cria.internal;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Linear layers with LoRA and batched matrix products. Arguments as in cria.h; a failing call
 * throws.
 */
public final class Linear {
  private static final MethodHandle NF4_LINEAR = Abi.link("cria_nf4_linear", "pplplppfflpp");
  private static final MethodHandle NF4_LINEAR_BWD =
      Abi.link("cria_nf4_linear_bwd", "pplplppfflppippp");
  private static final MethodHandle LINEAR = Abi.link("cria_linear", "plllipplppfflpp");
  private static final MethodHandle LINEAR_BWD =
      Abi.link("cria_linear_bwd", "plllipplppfflppipppp");
  private static final MethodHandle MATMUL = Abi.link("cria_matmul", "plllliifppip");

  private Linear() {}

  public static void nf4Linear(
      MemorySegment queue,
      MemorySegment w,
      long m,
      MemorySegment x,
      long rank,
      MemorySegment a,
      MemorySegment b,
      float scale,
      float dropout,
      long key,
      MemorySegment t,
      MemorySegment y) {
    try {
      Abi.check(
          (int) NF4_LINEAR.invokeExact(queue, w, m, x, rank, a, b, scale, dropout, key, t, y));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void nf4LinearBwd(
      MemorySegment queue,
      MemorySegment w,
      long m,
      MemorySegment x,
      long rank,
      MemorySegment a,
      MemorySegment b,
      float scale,
      float dropout,
      long key,
      MemorySegment t,
      MemorySegment dy,
      int accumulateDx,
      MemorySegment dx,
      MemorySegment da,
      MemorySegment db) {
    try {
      Abi.check(
          (int)
              NF4_LINEAR_BWD.invokeExact(
                  queue,
                  w,
                  m,
                  x,
                  rank,
                  a,
                  b,
                  scale,
                  dropout,
                  key,
                  t,
                  dy,
                  accumulateDx,
                  dx,
                  da,
                  db));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void linear(
      MemorySegment queue,
      long m,
      long n,
      long k,
      int dtype,
      MemorySegment w,
      MemorySegment x,
      long rank,
      MemorySegment a,
      MemorySegment b,
      float scale,
      float dropout,
      long key,
      MemorySegment t,
      MemorySegment y) {
    try {
      Abi.check(
          (int)
              LINEAR.invokeExact(
                  queue, m, n, k, dtype, w, x, rank, a, b, scale, dropout, key, t, y));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void linearBwd(
      MemorySegment queue,
      long m,
      long n,
      long k,
      int dtype,
      MemorySegment w,
      MemorySegment x,
      long rank,
      MemorySegment a,
      MemorySegment b,
      float scale,
      float dropout,
      long key,
      MemorySegment t,
      MemorySegment dy,
      int accumulateDx,
      MemorySegment dx,
      MemorySegment dw,
      MemorySegment da,
      MemorySegment db) {
    try {
      Abi.check(
          (int)
              LINEAR_BWD.invokeExact(
                  queue,
                  m,
                  n,
                  k,
                  dtype,
                  w,
                  x,
                  rank,
                  a,
                  b,
                  scale,
                  dropout,
                  key,
                  t,
                  dy,
                  accumulateDx,
                  dx,
                  dw,
                  da,
                  db));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void matmul(
      MemorySegment queue,
      long batch,
      long m,
      long n,
      long k,
      int transposeA,
      int transposeB,
      float alpha,
      MemorySegment a,
      MemorySegment b,
      int accumulate,
      MemorySegment c) {
    try {
      Abi.check(
          (int)
              MATMUL.invokeExact(
                  queue, batch, m, n, k, transposeA, transposeB, alpha, a, b, accumulate, c));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }
}
