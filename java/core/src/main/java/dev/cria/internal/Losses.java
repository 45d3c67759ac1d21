package dev.cria.internal;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Losses on logits that are never stored whole, and on preference pairs. Arguments as in cria.h; a
 * failing call throws.
 */
public final class Losses {
  private static final MethodHandle LINEAR_CROSS_ENTROPY =
      Abi.link("cria_linear_cross_entropy", "plllippppfpppp");
  private static final MethodHandle LINEAR_LOGPROB = Abi.link("cria_linear_logprob", "plllipppppp");
  private static final MethodHandle LINEAR_LOGPROB_BWD =
      Abi.link("cria_linear_logprob_bwd", "plllippppppp");
  private static final MethodHandle DPO_LOSS = Abi.link("cria_dpo_loss", "pliffppppppppp");
  private static final MethodHandle REWARD_PAIR_LOSS =
      Abi.link("cria_reward_pair_loss", "plfpppppp");

  private Losses() {}

  public static void linearCrossEntropy(
      MemorySegment queue,
      long t,
      long c,
      long v,
      int dtype,
      MemorySegment w,
      MemorySegment h,
      MemorySegment labels,
      MemorySegment weights,
      float gradScale,
      MemorySegment lossSum,
      MemorySegment losses,
      MemorySegment dh,
      MemorySegment dw) {
    try {
      Abi.check(
          (int)
              LINEAR_CROSS_ENTROPY.invokeExact(
                  queue, t, c, v, dtype, w, h, labels, weights, gradScale, lossSum, losses, dh,
                  dw));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void linearLogprob(
      MemorySegment queue,
      long t,
      long c,
      long v,
      int dtype,
      MemorySegment w,
      MemorySegment h,
      MemorySegment labels,
      MemorySegment logp,
      MemorySegment entropy,
      MemorySegment unitGrad) {
    try {
      Abi.check(
          (int)
              LINEAR_LOGPROB.invokeExact(
                  queue, t, c, v, dtype, w, h, labels, logp, entropy, unitGrad));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void linearLogprobBwd(
      MemorySegment queue,
      long t,
      long c,
      long v,
      int dtype,
      MemorySegment w,
      MemorySegment h,
      MemorySegment labels,
      MemorySegment dlogp,
      MemorySegment dentropy,
      MemorySegment dh,
      MemorySegment dw) {
    try {
      Abi.check(
          (int)
              LINEAR_LOGPROB_BWD.invokeExact(
                  queue, t, c, v, dtype, w, h, labels, dlogp, dentropy, dh, dw));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void dpoLoss(
      MemorySegment queue,
      long n,
      int kind,
      float beta,
      float labelSmoothing,
      MemorySegment chosen,
      MemorySegment rejected,
      MemorySegment refChosen,
      MemorySegment refRejected,
      MemorySegment lenChosen,
      MemorySegment lenRejected,
      MemorySegment loss,
      MemorySegment gradChosen,
      MemorySegment gradRejected) {
    try {
      Abi.check(
          (int)
              DPO_LOSS.invokeExact(
                  queue,
                  n,
                  kind,
                  beta,
                  labelSmoothing,
                  chosen,
                  rejected,
                  refChosen,
                  refRejected,
                  lenChosen,
                  lenRejected,
                  loss,
                  gradChosen,
                  gradRejected));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void rewardPairLoss(
      MemorySegment queue,
      long n,
      float center,
      MemorySegment chosen,
      MemorySegment rejected,
      MemorySegment margin,
      MemorySegment loss,
      MemorySegment gradChosen,
      MemorySegment gradRejected) {
    try {
      Abi.check(
          (int)
              REWARD_PAIR_LOSS.invokeExact(
                  queue, n, center, chosen, rejected, margin, loss, gradChosen, gradRejected));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }
}
