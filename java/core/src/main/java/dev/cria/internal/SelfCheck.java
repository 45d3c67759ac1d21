package dev.cria.internal;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** The self-check of a device. Arguments as in cria.h; a failing call throws. */
public final class SelfCheck {
  private static final MethodHandle DEVICE_PEAK = Abi.link("cria_device_peak", "pppp");
  private static final MethodHandle CHECK_PRIMITIVE = Abi.link("cria_check_primitive", "pipp");
  private static final MethodHandle CHECK_OPERATION = Abi.link("cria_check_operation", "piippppp");

  private SelfCheck() {}

  public static void devicePeak(
      MemorySegment device,
      MemorySegment bytesPerSecond,
      MemorySegment bf16FlopsPerSecond,
      MemorySegment f32FlopsPerSecond) {
    try {
      Abi.check(
          (int)
              DEVICE_PEAK.invokeExact(
                  device, bytesPerSecond, bf16FlopsPerSecond, f32FlopsPerSecond));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void checkPrimitive(
      MemorySegment queue, int index, MemorySegment name, MemorySegment worst) {
    try {
      Abi.check((int) CHECK_PRIMITIVE.invokeExact(queue, index, name, worst));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void checkOperation(
      MemorySegment queue,
      int index,
      int repeats,
      MemorySegment name,
      MemorySegment worst,
      MemorySegment seconds,
      MemorySegment bytes,
      MemorySegment flops) {
    try {
      Abi.check(
          (int)
              CHECK_OPERATION.invokeExact(
                  queue, index, repeats, name, worst, seconds, bytes, flops));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }
}
