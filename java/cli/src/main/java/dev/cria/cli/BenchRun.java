package dev.cria.cli;

import dev.cria.CriaException;
import dev.cria.Device;
import dev.cria.DeviceCheck;
import dev.cria.Profile;
import java.io.IOException;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;

/** One measurement of {@code cria bench}: calibration, repeats, and the facts about the machine. */
abstract class BenchRun extends CriaCommand {
  @Option(
      names = "--repeats",
      order = 80,
      paramLabel = "N",
      defaultValue = "5",
      description =
          "Measurements of each figure, after one that does not count (${DEFAULT-VALUE}).")
  protected int repeats;

  /** What the device could do at best, measured when it was opened. */
  protected DeviceCheck.Peak peak = new DeviceCheck.Peak(0, 0, 0);

  private final Map<String, Object> facts = new LinkedHashMap<>();

  @Override
  protected void check() {
    if (repeats < 1 || repeats > 1000) {
      throw usage("--repeats must be 1..1000: " + repeats);
    }
  }

  @Override
  protected final int run() throws IOException {
    Profile.enable();
    try (Device device = openDevice()) {
      try (Device calibrated = openDevice()) {
        peak = DeviceCheck.peak(calibrated);
      }
      facts.put("date", LocalDate.now().toString());
      facts.put("processor", DeviceCheck.processor());
      facts.putAll(Versions.of(device));
      facts.put("peak_bf16_flops_per_second", peak.bf16FlopsPerSecond());
      facts.put("peak_f32_flops_per_second", peak.f32FlopsPerSecond());
      facts.put("peak_read_bytes_per_second", peak.bytesPerSecond());
      say("%s, %s", DeviceCheck.processor(), device);
      say(
          "at best %.1f GFLOP/s on bf16, %.1f GFLOP/s on f32, reading %.1f GB/s",
          peak.bf16FlopsPerSecond() / 1e9,
          peak.f32FlopsPerSecond() / 1e9,
          peak.bytesPerSecond() / 1e9);
      measure(device);
    }
    result(facts);
    return 0;
  }

  /** Measures, says so, and adds facts. */
  protected abstract void measure(Device device) throws IOException;

  /** A fact of the result for programs. */
  protected final void fact(String name, Object value) {
    facts.put(name, value);
  }

  protected final void fact(String name, Measured value) {
    facts.put(name, value.facts());
  }

  /** Adds a rate, and its share of a peak where that is known. */
  protected static void rate(
      Map<String, Object> row, String name, String unit, Measured rate, double best) {
    row.put(name + "_" + unit + "_per_second", rate.facts());
    if (best > 0) {
      row.put(name + "_of_peak", rate.median() / best);
    }
  }

  /** The same as facts of the result. */
  protected final void rate(String name, String unit, Measured rate, double best) {
    rate(facts, name, unit, rate, best);
  }

  /** A rate in billions for people, and its share of a peak where that is known. */
  protected static String shown(Measured rate, double best) {
    String share = best > 0 ? "%5.1f %%".formatted(100 * rate.median() / best) : "";
    return "%-26s %s".formatted(rate.map(r -> r / 1e9).show(1), share);
  }

  /**
   * Seconds in native functions per run of a body, for each group of names, over the repeats. A
   * body that is short runs several times for one measurement.
   */
  protected final List<Measured> nativeSeconds(Device device, Runnable body, String... names) {
    if (!device.isHostMemory()) {
      throw new CriaException(
          "bench: calls return before the work of "
              + device.name()
              + " is done; cria device-check times its kernels");
    }
    body.run();
    Profile.reset();
    body.run();
    if (Profile.seconds() == 0) {
      throw new IllegalStateException(
          "native calls are not counted: enabled after their first use");
    }
    int inner = (int) Math.clamp(Math.ceil(0.05 / Profile.seconds()), 1, 1000);
    double[][] seconds = new double[names.length][repeats];
    for (int r = 0; r < repeats; r++) {
      Profile.reset();
      for (int i = 0; i < inner; i++) {
        body.run();
      }
      for (int n = 0; n < names.length; n++) {
        seconds[n][r] = Profile.seconds(names[n]) / inner;
      }
    }
    List<Measured> all = new ArrayList<>();
    for (double[] s : seconds) {
      all.add(Measured.of(s));
    }
    return all;
  }

  /**
   * Where the time of a unit of work goes: the mean of some runs of it, by native function, and
   * what is left for Java.
   *
   * @param unit name of the work
   * @param runs the calls of each run
   * @param seconds of each run
   */
  protected final void calls(String unit, List<List<Profile.Entry>> runs, double[] seconds) {
    Map<String, double[]> sums = new LinkedHashMap<>();
    for (List<Profile.Entry> run : runs) {
      for (Profile.Entry e : run) {
        double[] sum = sums.computeIfAbsent(e.name(), n -> new double[2]);
        sum[0] += e.calls() / (double) runs.size();
        sum[1] += e.seconds() / runs.size();
      }
    }
    double mean = Arrays.stream(seconds).average().orElse(0);
    double inside = sums.values().stream().mapToDouble(s -> s[1]).sum();
    List<Map<String, Object>> rows = new ArrayList<>();
    say("");
    say("%-28s %9s %12s %8s", "where the time of a " + unit + " goes", "calls", "ms", "share");
    sums.entrySet().stream()
        .sorted((a, b) -> Double.compare(b.getValue()[1], a.getValue()[1]))
        .forEach(e -> row(rows, e.getKey(), e.getValue()[0], e.getValue()[1], mean));
    row(rows, "Java, all of it", 0, Math.max(0, mean - inside), mean);
    say("%-28s %9s %12.2f", "mean of a " + unit, "", mean * 1e3);
    fact("mean_" + unit + "_seconds", mean);
    fact("calls", rows);
  }

  private void row(
      List<Map<String, Object>> rows, String name, double calls, double seconds, double whole) {
    Map<String, Object> row = new LinkedHashMap<>();
    row.put("name", name);
    row.put("calls", calls);
    row.put("seconds", seconds);
    row.put("share", seconds / whole);
    rows.add(row);
    say("%-28s %9.0f %12.2f %6.2f %%", name, calls, seconds * 1e3, 100 * seconds / whole);
  }
}
