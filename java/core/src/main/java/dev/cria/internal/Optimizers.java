package dev.cria.internal;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** AdamW steps and the sum of squares. Arguments as in cria.h; a failing call throws. */
public final class Optimizers {
  private static final MethodHandle ADAMW = Abi.link("cria_adamw", "plpppffddfflpp");
  private static final MethodHandle ADAMW8 = Abi.link("cria_adamw8", "plpppffddfflpppp");
  private static final MethodHandle SUM_SQUARES = Abi.link("cria_sum_squares", "plpp");

  private Optimizers() {}

  public static void adamw(
      MemorySegment queue,
      long n,
      MemorySegment p,
      MemorySegment bf16,
      MemorySegment grad,
      float gradScale,
      float lr,
      double beta1,
      double beta2,
      float eps,
      float decay,
      long step,
      MemorySegment m,
      MemorySegment v) {
    try {
      Abi.check(
          (int)
              ADAMW.invokeExact(
                  queue, n, p, bf16, grad, gradScale, lr, beta1, beta2, eps, decay, step, m, v));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void adamw8(
      MemorySegment queue,
      long n,
      MemorySegment p,
      MemorySegment bf16,
      MemorySegment grad,
      float gradScale,
      float lr,
      double beta1,
      double beta2,
      float eps,
      float decay,
      long step,
      MemorySegment mCodes,
      MemorySegment mAbsmax,
      MemorySegment vCodes,
      MemorySegment vAbsmax) {
    try {
      Abi.check(
          (int)
              ADAMW8.invokeExact(
                  queue, n, p, bf16, grad, gradScale, lr, beta1, beta2, eps, decay, step, mCodes,
                  mAbsmax, vCodes, vAbsmax));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void sumSquares(MemorySegment queue, long n, MemorySegment x, MemorySegment sum) {
    try {
      Abi.check((int) SUM_SQUARES.invokeExact(queue, n, x, sum));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }
}
