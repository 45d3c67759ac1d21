package dev.cria.bench;

import java.util.Collection;
import java.util.Locale;
import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.util.Statistics;

/** The results of JMH in Markdown: the calibration, and a line for each benchmark. */
final class Table {
  private static final String HEADER =
      """
      | benchmark | parameters | time | GFLOP/s | GB/s | % of peak |
      |---|---|--:|--:|--:|--:|
      """;

  private Table() {}

  static String of(Collection<RunResult> results) {
    StringBuilder text = new StringBuilder();
    if (results.stream().anyMatch(result -> counter(result, "peakRead") != null)) {
      text.append(
          "Peak of each process, median (least to most): %s GFLOP/s on bf16, %s GFLOP/s on f32, reading %s GB/s.%n%n"
              .formatted(
                  peak(results, "peakBf16"), peak(results, "peakF32"), peak(results, "peakRead")));
    }
    text.append(HEADER);
    for (RunResult result : results) {
      BenchmarkParams params = result.getParams();
      text.append(
          "| %s | %s | %s | %s | %s | %s |%n"
              .formatted(
                  name(params),
                  parameters(params),
                  time(result),
                  median(result, "gflops"),
                  median(result, "gbytes"),
                  spread(result, "percentOfPeak")));
    }
    return text.toString();
  }

  /** The class without "Benchmark", and the method where there are several. */
  private static String name(BenchmarkParams params) {
    String[] parts = params.getBenchmark().split("\\.", -1);
    String type = parts[parts.length - 2].replace("Benchmark", "");
    String method = parts[parts.length - 1];
    return method.equals("run") ? type : type + "." + method;
  }

  /** Numbers by name, all else by value; what is 0 or usual is left out. */
  private static String parameters(BenchmarkParams params) {
    StringJoiner named = new StringJoiner(", ");
    for (String key : params.getParamsKeys()) {
      String value = params.getParam(key);
      if (value.equals("0") || value.equals(Model.OPENLLAMA_3B.name())) {
        continue;
      }
      boolean number = value.chars().allMatch(Character::isDigit);
      named.add(number ? key + " " + value : value.toLowerCase(Locale.ROOT).replace('_', ' '));
    }
    return named.toString();
  }

  private static String time(RunResult result) {
    double score = result.getPrimaryResult().getStatistics().getPercentile(50);
    double seconds = result.getParams().getMode() == Mode.Throughput ? 1 / score : score * 1e-9;
    if (seconds < 1e-6) {
      return "%.2f ns".formatted(seconds * 1e9);
    }
    return seconds < 1e-3 ? "%.2f µs".formatted(seconds * 1e6) : "%.2f ms".formatted(seconds * 1e3);
  }

  private static @Nullable Statistics counter(RunResult result, String name) {
    Result<?> counter = result.getSecondaryResults().get(name);
    return counter == null || counter.getScore() == 0 ? null : counter.getStatistics();
  }

  private static String median(RunResult result, String name) {
    Statistics counter = counter(result, name);
    return counter == null ? "" : "%.1f".formatted(counter.getPercentile(50));
  }

  private static String spread(RunResult result, String name) {
    Statistics counter = counter(result, name);
    return counter == null
        ? ""
        : "%.1f (%.1f to %.1f)"
            .formatted(counter.getPercentile(50), counter.getMin(), counter.getMax());
  }

  private static String peak(Collection<RunResult> results, String name) {
    double[] sorted =
        results.stream()
            .map(result -> counter(result, name))
            .filter(counter -> counter != null)
            .mapToDouble(counter -> counter.getPercentile(50))
            .sorted()
            .toArray();
    return "%.1f (%.1f to %.1f)"
        .formatted(sorted[sorted.length / 2], sorted[0], sorted[sorted.length - 1]);
  }
}
