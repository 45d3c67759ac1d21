package dev.cria.llm.train;

import dev.cria.llm.checkpoint.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Writes and reads the reports of a run; every number comes back with the same bits. */
final class HistoryJson {
  private HistoryJson() {}

  static Map<String, Object> toMap(History history) {
    List<Object> steps = new ArrayList<>();
    for (StepReport r : history.steps()) {
      Map<String, Object> map = new LinkedHashMap<>();
      map.put("step", r.step());
      map.put("epoch", r.epoch());
      map.put("loss", r.loss());
      map.put("metrics", r.metrics());
      map.put("rows", r.rows());
      map.put("weight", r.weight());
      map.put("gradient_norm", r.gradientNorm());
      map.put("learning_rate", r.learningRate());
      map.put("seconds", r.seconds());
      map.put("live_bytes", r.liveBytes());
      map.put("resident_bytes", r.residentBytes());
      steps.add(map);
    }
    List<Object> evaluations = new ArrayList<>();
    for (EvalReport r : history.evaluations()) {
      Map<String, Object> samples = new LinkedHashMap<>();
      r.samples().forEach((name, s) -> samples.put(name, List.of(s.values(), s.weights())));
      Map<String, Object> map = new LinkedHashMap<>();
      map.put("step", r.step());
      map.put("samples", samples);
      map.put("seconds", r.seconds());
      evaluations.add(map);
    }
    return Map.of("steps", steps, "evaluations", evaluations);
  }

  static History parse(@Nullable JsonNode node, String where) {
    List<StepReport> steps = new ArrayList<>();
    List<EvalReport> evaluations = new ArrayList<>();
    if (node != null) {
      for (JsonNode n : node.path("steps")) {
        Map<String, Double> metrics = new LinkedHashMap<>();
        n.path("metrics")
            .properties()
            .forEach(e -> metrics.put(e.getKey(), e.getValue().asDouble()));
        steps.add(
            new StepReport(
                n.path("step").asLong(),
                Json.number(n, "epoch", where),
                Json.number(n, "loss", where),
                metrics,
                n.path("rows").asLong(),
                Json.number(n, "weight", where),
                Json.number(n, "gradient_norm", where),
                Json.number(n, "learning_rate", where),
                Json.number(n, "seconds", where),
                n.path("live_bytes").asLong(),
                n.path("resident_bytes").asLong()));
      }
      for (JsonNode n : node.path("evaluations")) {
        Map<String, Samples> samples = new LinkedHashMap<>();
        n.path("samples")
            .properties()
            .forEach(
                e ->
                    samples.put(
                        e.getKey(),
                        new Samples(numbers(e.getValue().path(0)), numbers(e.getValue().path(1)))));
        evaluations.add(
            new EvalReport(n.path("step").asLong(), samples, Json.number(n, "seconds", where)));
      }
    }
    return new History(steps, evaluations);
  }

  private static double[] numbers(JsonNode list) {
    double[] numbers = new double[list.size()];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = list.get(i).asDouble();
    }
    return numbers;
  }
}
