package dev.cria.cli.demo;

import dev.cria.llm.train.Samples;
import java.util.Locale;

/**
 * A share of yes answers with its 95 % interval after Wilson (1927), which stays sensible at 0 and
 * 1.
 */
public record Share(double mean, double low95, double high95) {
  private static final double Z95 = 1.959963984540054;

  /** The share of the values, each between 0 and 1. */
  public static Share of(Samples samples) {
    int n = samples.values().length;
    double p = samples.estimate().mean();
    double z2 = Z95 * Z95;
    double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
    double reach = Z95 / (1 + z2 / n) * Math.sqrt(p * (1 - p) / n + z2 / (4.0 * n * n));
    return new Share(p, Math.max(0, middle - reach), Math.min(1, middle + reach));
  }

  /**
   * Whether {@code after} is better than {@code before}, the same examples in the same order,
   * beyond noise: the 95 % interval of the paired difference lies above 0.
   */
  public static boolean improved(Samples before, Samples after) {
    return after.minus(before).low95() > 0;
  }

  /** For people, for example {@code 41.3 % (35.9 to 47.0)}. */
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT, "%.1f %% (%.1f to %.1f)", 100 * mean, 100 * low95, 100 * high95);
  }
}
