package dev.cria.bench;

import dev.cria.DeviceCheck.Peak;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/** The calibration of the process, kept with each result. */
@AuxCounters(AuxCounters.Type.EVENTS)
@State(Scope.Thread)
public class Peaks {
  /** GFLOP/s on bf16. */
  public double peakBf16;

  /** GFLOP/s on f32. */
  public double peakF32;

  /** GB/s of reading. */
  public double peakRead;

  void set(Peak peak) {
    peakBf16 = peak.bf16FlopsPerSecond() * 1e-9;
    peakF32 = peak.f32FlopsPerSecond() * 1e-9;
    peakRead = peak.bytesPerSecond() * 1e-9;
  }
}
