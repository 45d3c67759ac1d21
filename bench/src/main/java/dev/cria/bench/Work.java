package dev.cria.bench;

import dev.cria.DeviceCheck.Peak;

/**
 * What one run of an operation takes at the least.
 *
 * @param flops floating-point operations, two to a multiply-add
 * @param bytes read and written, each tensor once
 * @param unit what does the operations
 */
record Work(double flops, double bytes, Unit unit) {
  /** The inputs of a multiply-add; sums are float32. */
  enum Unit {
    BF16,
    F32
  }

  static Work bf16(double flops, double bytes) {
    return new Work(flops, bytes, Unit.BF16);
  }

  static Work f32(double flops, double bytes) {
    return new Work(flops, bytes, Unit.F32);
  }

  /** Of an operation that does little but move numbers. */
  static Work bytes(double bytes) {
    return new Work(0, bytes, Unit.F32);
  }

  /** Bytes of a matrix in NF4 with doubly quantised scales. */
  static double nf4Bytes(double rows, double columns) {
    return rows * columns * (0.5 + 1.0 / 64 + 4.0 / 64 / 256);
  }

  /** Seconds of a machine that reaches its peak: of arithmetic or of memory, whichever is later. */
  double seconds(Peak peak) {
    double rate = unit == Unit.BF16 ? peak.bf16FlopsPerSecond() : peak.f32FlopsPerSecond();
    return Math.max(flops / rate, bytes / peak.bytesPerSecond());
  }
}
