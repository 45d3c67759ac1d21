package dev.cria.llm.train;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One evaluation of the held-out items.
 *
 * @param step steps done before it
 * @param samples figures of every example by name, {@code loss} among them
 * @param seconds it took
 */
public record EvalReport(long step, Map<String, Samples> samples, double seconds) {
  /** Keeps the map as it is, in its order. */
  public EvalReport {
    samples = Collections.unmodifiableMap(samples);
  }

  /** The mean of each figure by name. */
  public Map<String, Estimate> figures() {
    Map<String, Estimate> figures = new LinkedHashMap<>();
    samples.forEach((name, s) -> figures.put(name, s.estimate()));
    return figures;
  }

  /** The mean loss. */
  public Estimate loss() {
    Samples loss = samples.get("loss");
    return loss == null ? new Estimate(0, 0, 0) : loss.estimate();
  }

  /** All fields by name, each figure with its mean, standard error and 95 % interval. */
  public Map<String, Object> toMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("step", step);
    figures()
        .forEach(
            (name, e) -> {
              Map<String, Object> figure = new LinkedHashMap<>();
              figure.put("mean", e.mean());
              figure.put("standard_error", e.standardError());
              figure.put("low95", e.low95());
              figure.put("high95", e.high95());
              figure.put("count", e.count());
              map.put(name, figure);
            });
    map.put("seconds", seconds);
    return map;
  }
}
