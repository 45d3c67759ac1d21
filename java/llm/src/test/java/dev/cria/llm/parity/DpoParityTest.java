package dev.cria.llm.parity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.cria.Device;
import dev.cria.Scope;
import dev.cria.autograd.DpoKind;
import dev.cria.autograd.Tape;
import dev.cria.llm.ForwardContext;
import dev.cria.llm.Llama;
import dev.cria.llm.Weights;
import dev.cria.llm.checkpoint.Json;
import dev.cria.llm.lora.Lora;
import dev.cria.llm.lora.PeftFolder;
import dev.cria.llm.train.DpoObjective;
import dev.cria.llm.train.Item;
import dev.cria.llm.train.Loss;
import dev.cria.llm.train.Metrics;
import dev.cria.llm.train.PairItem;
import dev.cria.nn.Parameter;
import dev.cria.optim.GradientBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Preference losses and their gradients against TRL and the formulas. */
@NullUnmarked
class DpoParityTest {
  @Test
  void lossesRewardsAndGradientsOfEveryCase() {
    Golden golden = Golden.open("grouped-tied/dpo");
    List<Item> pairs = new ArrayList<>();
    JsonNode file = Json.read(Golden.root().resolve("grouped-tied/dpo-pairs.json"));
    for (JsonNode pair : file.path("pairs")) {
      pairs.add(
          new PairItem(
              "golden",
              Golden.ints(pair.path("prompt")),
              Golden.ints(pair.path("chosen")),
              Golden.ints(pair.path("rejected"))));
    }
    try (Device device = Device.open("cpu");
        Llama model = Llama.load(Golden.root().resolve("grouped-tied/model"), device, Weights.F32);
        Scope scope = Scope.open()) {
      int cases = 0;
      for (JsonNode c : golden.json().path("losses")) {
        // Robust DPO is another loss, which Cria does not have.
        if (!c.path("loss").asString().equals("robust")) {
          check(model, golden, c, pairs);
          cases++;
        }
      }
      assertThat(cases).isEqualTo(6);
    }
  }

  private void check(Llama model, Golden golden, JsonNode c, List<Item> pairs) {
    String name = c.path("name").asString();
    double beta = c.path("beta").asDouble();
    DpoObjective objective =
        new DpoObjective(
            DpoKind.valueOf(c.path("loss").asString().toUpperCase(Locale.ROOT).replace('-', '_')),
            beta,
            c.path("label_smoothing").asDouble());
    boolean[] all = new boolean[pairs.size()];
    java.util.Arrays.fill(all, true);
    model.activate(null);
    objective.prepare(model, pairs, all, List.of(), 1000, (work, done, total) -> {});
    Lora.load(model, Golden.root().resolve("grouped-tied/adapter"));
    List<Parameter> parameters = model.trainedParameters();
    try (Scope scope = Scope.open();
        GradientBuffer buffer = new GradientBuffer(model.device(), parameters)) {
      parameters.forEach(p -> p.setTrainable(true));
      Metrics metrics = new Metrics();
      double mean;
      try (Tape tape = Tape.record()) {
        Loss loss =
            objective.loss(model, pairs, ForwardContext.inference(model.activeAdapter()), metrics);
        mean = loss.value() / pairs.size();
        tape.backward(
            loss.sum(),
            dev.cria.Tensor.full(model.device(), 1f / pairs.size(), loss.sum().shape()));
      }
      // Summed log-probabilities as good as four float32 runs; the loss changes by at most its
      // slope times that, and the slope of every case is at most beta or 2 |u - 1/(2 beta)|.
      double logps = 4 * golden.json().path("logps_f32_error").asDouble();
      double expected = c.path("mean").asDouble();
      double slope = Math.max(beta, 2 * Math.sqrt(Math.abs(expected)));
      for (double each : Golden.doubles(c.path("per_pair"))) {
        slope = Math.max(slope, 2 * Math.sqrt(Math.abs(each)));
      }
      assertThat(mean)
          .as(name)
          .isCloseTo(expected, within(4 * slope * logps + Math.abs(expected) * 1e-6));
      double[] chosen = Golden.doubles(c.path("rewards_chosen"));
      double average = java.util.Arrays.stream(chosen).average().orElseThrow();
      assertThat(metrics.means().get("rewards_chosen"))
          .as(name)
          .isCloseTo(average, within(2 * beta * logps));
      for (Parameter p : parameters) {
        String key = name + "/grad." + PeftFolder.PREFIX + p.name();
        float[] gradient = p.grad().toFloats();
        float[] reference = golden.values(key);
        double tolerance = golden.tolerance(key);
        for (int i = 0; i < reference.length; i++) {
          assertThat((double) gradient[i])
              .as("%s element %d", key, i)
              .isCloseTo(reference[i], within(tolerance));
        }
        p.setTrainable(false);
      }
    }
  }
}
