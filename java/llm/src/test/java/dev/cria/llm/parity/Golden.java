package dev.cria.llm.parity;

import dev.cria.llm.checkpoint.FloatBytes;
import dev.cria.llm.checkpoint.Json;
import dev.cria.safetensors.SafetensorsFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** A pair of golden files: tensors and the record of each. See tests/parity/README.md. */
record Golden(Path tensors, JsonNode json) {
  /** The folder of golden files, looked for from the working directory upwards. */
  static Path root() {
    for (Path p = Path.of("").toAbsolutePath(); p != null; p = p.getParent()) {
      Path golden = p.resolve("tests/parity/golden");
      if (Files.isDirectory(golden)) {
        return golden;
      }
    }
    throw new IllegalStateException("no tests/parity/golden above " + Path.of("").toAbsolutePath());
  }

  /** The pair {@code name}.safetensors and {@code name}.json. */
  static Golden open(String name) {
    return new Golden(
        root().resolve(name + ".safetensors"), Json.read(root().resolve(name + ".json")));
  }

  /** Values of a stored tensor as float32. */
  float[] values(String name) {
    try (SafetensorsFile file = SafetensorsFile.open(tensors)) {
      return FloatBytes.read(file.data(name));
    }
  }

  /** Bytes of a stored tensor. */
  byte[] bytes(String name) {
    try (SafetensorsFile file = SafetensorsFile.open(tensors)) {
      return file.data(name).toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
    }
  }

  /** Names of all recorded tensors. */
  List<String> names() {
    List<String> names = new ArrayList<>();
    json.path("tensors").properties().forEach(e -> names.add(e.getKey()));
    return names;
  }

  JsonNode info(String name) {
    return json.path("tensors").path(name);
  }

  /** The elements of a whole tensor that are stored. */
  float[] sampled(String name, float[] whole) {
    int stride = info(name).path("stride").asInt();
    if (stride == 0) {
      return whole;
    }
    float[] sample = new float[info(name).path("count").asInt()];
    for (int k = 0; k < sample.length; k++) {
      sample[k] = whole[Math.toIntExact((long) k * stride)];
    }
    return sample;
  }

  /**
   * Largest error that another float32 implementation may have: four times that of PyTorch's own
   * float32 run, plus 4 eps of the largest value for sums in another order.
   */
  double tolerance(String name) {
    return 4 * info(name).path("f32_error").asDouble()
        + 4 * Math.pow(2, -24) * info(name).path("max_abs").asDouble();
  }

  /** One batch of a batch file. */
  record Batch(int[][] ids, float[][] weights, int labelled) {
    static Batch of(JsonNode node) {
      int n = node.path("sequences").size();
      int[][] ids = new int[n][];
      float[][] weights = new float[n][];
      int labelled = 0;
      for (int s = 0; s < n; s++) {
        ids[s] = ints(node.path("sequences").get(s).path("ids"));
        int[] labels = ints(node.path("sequences").get(s).path("labels"));
        weights[s] = new float[labels.length];
        for (int t = 1; t < labels.length; t++) {
          weights[s][t] = labels[t] == -100 ? 0 : 1;
          labelled += labels[t] == -100 ? 0 : 1;
        }
      }
      return new Batch(ids, weights, labelled);
    }
  }

  static int[] ints(JsonNode array) {
    int[] values = new int[array.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = array.get(i).asInt();
    }
    return values;
  }

  static double[] doubles(JsonNode array) {
    double[] values = new double[array.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = array.get(i).asDouble();
    }
    return values;
  }
}
