package dev.cria.cli;

import dev.cria.llm.train.Estimate;
import java.util.LinkedHashMap;
import java.util.Map;

/** How a mean with its uncertainty is shown to people and to programs. */
final class Figures {
  private Figures() {}

  /** For programs. */
  static Map<String, Object> facts(Estimate e) {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("mean", e.mean());
    map.put("standard_error", e.standardError());
    map.put("low95", e.low95());
    map.put("high95", e.high95());
    map.put("count", e.count());
    return map;
  }

  /** For people: the mean and its 95 % interval. */
  static String show(Estimate e) {
    return "%.4f  (95 %% interval %.4f to %.4f, %d examples)"
        .formatted(e.mean(), e.low95(), e.high95(), e.count());
  }
}
