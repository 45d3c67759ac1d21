package dev.cria.cli;

import dev.cria.Device;
import dev.cria.DeviceCheck;
import picocli.CommandLine.Command;

/** Repeats the calibration. */
@Command(
    name = "peak",
    sortOptions = false,
    customSynopsis = "cria bench peak [OPTIONS]",
    description = {
      "Measure what this machine could do at best.",
      "Multiply-adds in registers, by type of their inputs, and reading memory, on all threads."
    },
    footer = {"", "Example: cria bench peak --json"})
final class BenchPeakCommand extends BenchRun {
  @Override
  protected void measure(Device device) {
    double[] bf16 = new double[repeats];
    double[] f32 = new double[repeats];
    double[] read = new double[repeats];
    for (int i = 0; i < repeats; i++) {
      DeviceCheck.Peak measured = DeviceCheck.peak(device);
      bf16[i] = measured.bf16FlopsPerSecond();
      f32[i] = measured.f32FlopsPerSecond();
      read[i] = measured.bytesPerSecond();
    }
    report("bf16 multiply-adds", "GFLOP/s", "bf16_flops_per_second", Measured.of(bf16));
    report("f32 multiply-adds", "GFLOP/s", "f32_flops_per_second", Measured.of(f32));
    report("reading", "GB/s", "read_bytes_per_second", Measured.of(read));
  }

  private void report(String name, String unit, String key, Measured rate) {
    fact(key, rate);
    say("%-20s %s %s", name, rate.map(r -> r / 1e9).show(1), unit);
  }
}
