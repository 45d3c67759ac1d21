package dev.cria.cli;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;

/**
 * Several measurements of one figure.
 *
 * @param median the middle one; the mean of the two in the middle of an even number
 * @param least the smallest
 * @param most the largest
 * @param count how many
 */
record Measured(double median, double least, double most, int count) {
  static Measured of(double... values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    int n = sorted.length;
    return new Measured((sorted[(n - 1) / 2] + sorted[n / 2]) / 2, sorted[0], sorted[n - 1], n);
  }

  /** The same in other terms: seconds as a rate, a rate as a share. */
  Measured map(DoubleUnaryOperator terms) {
    double a = terms.applyAsDouble(least);
    double b = terms.applyAsDouble(most);
    return new Measured(terms.applyAsDouble(median), Math.min(a, b), Math.max(a, b), count);
  }

  /** For programs. */
  Map<String, Object> facts() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("median", median);
    map.put("least", least);
    map.put("most", most);
    map.put("count", count);
    return map;
  }

  /** For people. */
  String show(int decimals) {
    String number = "%." + decimals + "f";
    return (number + " (" + number + " to " + number + ")").formatted(median, least, most);
  }
}
