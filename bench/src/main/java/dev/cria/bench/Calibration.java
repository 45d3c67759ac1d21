package dev.cria.bench;

import dev.cria.Device;
import dev.cria.DeviceCheck;
import dev.cria.DeviceCheck.Peak;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The peak of this machine, measured once by each process that measures an operation. */
final class Calibration {
  private static final Map<Integer, Peak> MEASURED = new ConcurrentHashMap<>();

  private Calibration() {}

  /**
   * Measures, with a device of its own so that its memory is not in the way.
   *
   * @param threads as for {@link Device#open(String, int)}
   */
  static Peak of(int threads) {
    return MEASURED.computeIfAbsent(threads, Calibration::measure);
  }

  private static Peak measure(int threads) {
    try (Device device = Device.open("cpu", threads)) {
      Peak peak = DeviceCheck.peak(device);
      System.out.printf(
          "%n# Peak of %s: %.1f GFLOP/s on bf16, %.1f GFLOP/s on f32, reading %.1f GB/s%n",
          device,
          peak.bf16FlopsPerSecond() / 1e9,
          peak.f32FlopsPerSecond() / 1e9,
          peak.bytesPerSecond() / 1e9);
      return peak;
    }
  }
}
