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

/** The results of JMH in Markdown, one line for each combination of parameters. */
final class Table {
  private static final String HEADER =
      """
      | benchmark | parameters | time | GFLOP/s | GB/s | % of peak (least to most) |
      |---|---|--:|--:|--:|--:|
      """;

  private Table() {}

  static String of(Collection<RunResult> results) {
    StringBuilder text = new StringBuilder(HEADER);
    for (RunResult result : results) {
      BenchmarkParams params = result.getParams();
      StringJoiner named = new StringJoiner(" ");
      for (String key : params.getParamsKeys()) {
        String value = params.getParam(key);
        // What is the same on all lines is said once, beside the table.
        if (!key.equals("model") && !(key.equals("threads") && value.equals("0"))) {
          named.add(key.equals("threads") || number(value) ? value + " " + key : lower(value));
        }
      }
      Statistics primary = result.getPrimaryResult().getStatistics();
      double score = primary.getPercentile(50);
      boolean rate = params.getMode() == Mode.Throughput;
      double seconds = rate ? 1 / score : score * 1e-9;
      text.append("| %s | %s | %s |".formatted(name(params), named, time(seconds)));
      text.append(" %s |".formatted(median(result, "gflops")));
      text.append(" %s |".formatted(median(result, "gbytes")));
      text.append(" %s |%n".formatted(share(result)));
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

  private static boolean number(String value) {
    return value.chars().allMatch(Character::isDigit);
  }

  private static String lower(String value) {
    return value.toLowerCase(Locale.ROOT).replace('_', ' ');
  }

  private static String time(double seconds) {
    if (seconds < 1e-6) {
      return "%.2f ns".formatted(seconds * 1e9);
    }
    if (seconds < 1e-3) {
      return "%.2f µs".formatted(seconds * 1e6);
    }
    return "%.2f ms".formatted(seconds * 1e3);
  }

  private static @Nullable Statistics counter(RunResult result, String name) {
    Result<?> counter = result.getSecondaryResults().get(name);
    return counter == null || counter.getScore() == 0 ? null : counter.getStatistics();
  }

  private static String median(RunResult result, String name) {
    Statistics counter = counter(result, name);
    return counter == null ? "" : "%.1f".formatted(counter.getPercentile(50));
  }

  private static String share(RunResult result) {
    Statistics counter = counter(result, "percentOfPeak");
    return counter == null
        ? ""
        : "%.1f (%.1f to %.1f)"
            .formatted(counter.getPercentile(50), counter.getMin(), counter.getMax());
  }
}
