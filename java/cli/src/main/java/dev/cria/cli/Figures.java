package dev.cria.cli;

import dev.cria.llm.train.Estimate;
import dev.cria.llm.train.EvalReport;
import dev.cria.llm.train.Samples;
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

  /** A figure of every example. */
  static Samples of(EvalReport report, String name) {
    Samples samples = report.samples().get(name);
    if (samples == null) {
      throw new IllegalStateException("no figure " + name + " was evaluated");
    }
    return samples;
  }

  /** Adds a figure before and after training, and the paired difference. */
  static void change(
      TrainingCommand.Outcome outcome,
      String shown,
      String key,
      String name,
      EvalReport before,
      EvalReport after) {
    Estimate first = of(before, name).estimate();
    Estimate last = of(after, name).estimate();
    Estimate difference = of(after, name).minus(of(before, name));
    outcome.add(shown + ", before", key + "_before", facts(first), show(first));
    outcome.add(shown + ", after", key + "_after", facts(last), show(last));
    outcome.add("  paired difference", key + "_difference", facts(difference), show(difference));
  }
}
