package dev.cria.llm.train;

import java.util.LinkedHashMap;
import java.util.Map;

/** Weighted means of named figures, collected over the parts of a step. */
public final class Metrics {
  private final Map<String, double[]> sums = new LinkedHashMap<>();

  /** No figures yet. */
  public Metrics() {}

  /** Adds a value that counts {@code weight} times. */
  public void add(String name, double value, double weight) {
    double[] sum = sums.computeIfAbsent(name, n -> new double[2]);
    sum[0] += value * weight;
    sum[1] += weight;
  }

  /** The mean of each figure, in the order in which they first came. */
  public Map<String, Double> means() {
    Map<String, Double> means = new LinkedHashMap<>();
    sums.forEach((name, sum) -> means.put(name, sum[1] == 0 ? 0 : sum[0] / sum[1]));
    return means;
  }
}
