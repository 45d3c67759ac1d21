package dev.cria.bench;

import dev.cria.Device;
import dev.cria.DeviceCheck;
import dev.cria.DeviceCheck.Peak;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The peak of this machine, measured once by each process that measures an operation. */
final class Calibration {
  /** What else runs can only slow a measurement down: the best of a few counts. */
  private static final int REPEATS = 3;

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
      Peak best = new Peak(0, 0, 0);
      for (int i = 0; i < REPEATS; i++) {
        Peak peak = DeviceCheck.peak(device);
        best =
            new Peak(
                Math.max(best.bytesPerSecond(), peak.bytesPerSecond()),
                Math.max(best.bf16FlopsPerSecond(), peak.bf16FlopsPerSecond()),
                Math.max(best.f32FlopsPerSecond(), peak.f32FlopsPerSecond()));
      }
      return best;
    }
  }
}
