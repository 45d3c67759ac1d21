package dev.cria.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.cria.Device;
import dev.cria.Scope;
import dev.cria.llm.Llama;
import dev.cria.llm.TokenBatch;
import dev.cria.llm.Weights;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * SmolLM2-135M-Instruct from its GGUF file, against values that PyTorch gave (README of the data).
 */
class SmolLmCommandTest {
  private static final int[] PROMPT = {
    1, 9690, 198, 2683, 359, 253, 5356, 5646, 11173, 3365, 3511, 308, 34519, 28, 7018, 411, 407,
    19712, 8182, 2, 198, 1, 4093, 198, 1780, 314, 260, 3575, 282, 4649, 47, 2, 198, 1, 520, 9531,
    198
  };
  private static final double[] NLL = {2.097942, 2.140124, 2.243504, 2.680508, 2.237319};

  @TempDir private static Path folder;
  private static Path model = Path.of("");

  @BeforeAll
  static void importModel() {
    Path gguf = SharedData.path("smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf");
    model = folder.resolve("smollm2");
    Cli.ok("import", gguf, model);
  }

  @Test
  void chatSaysTheReferenceAnswer() {
    Cli chat =
        Cli.typing(
            "What is the capital of France?\n", "chat", "--model", model, "--greedy", "--json");
    JsonNode answer = CriaCommand.LINE.readTree(chat.out());
    assertThat(ints(answer.path("prompt_ids"))).containsExactly(PROMPT);
    // The mark of the end, 2, stops the answer.
    assertThat(ints(answer.path("ids"))).containsExactly(504, 3575, 282, 4649, 314, 7042, 30);
    assertThat(answer.path("stop").asString()).isEqualTo("token");
    assertThat(answer.path("answer").asString()).isEqualTo("The capital of France is Paris.");
  }

  private static int[] ints(JsonNode list) {
    return IntStream.range(0, list.size()).map(i -> list.get(i).asInt()).toArray();
  }

  @Test
  void largestLogitsAfterTheQuestion() {
    int[] ids = {504, 60, 15319, 2219, 7026};
    double[] expected = {25.3254, 25.2433, 24.9424, 24.4017, 24.3146};
    try (Device device = Device.open("cpu");
        Llama llama = Llama.load(model, device, Weights.AS_STORED);
        Scope scope = Scope.open()) {
      var hidden = llama.hidden(TokenBatch.of(PROMPT), llama.inference());
      float[] logits = llama.logits(hidden.rows(PROMPT.length - 1, 1)).toFloats();
      Integer[] order = IntStream.range(0, logits.length).boxed().toArray(Integer[]::new);
      Arrays.sort(order, (a, b) -> Float.compare(logits[b], logits[a]));
      for (int i = 0; i < ids.length; i++) {
        assertThat(order[i]).isEqualTo(ids[i]);
        // 1e-3 (issue 3) and half a unit of the last decimal given.
        assertThat((double) logits[ids[i]]).isCloseTo(expected[i], offset(1.05e-3));
      }
    }
  }

  @Test
  void losses() {
    Path text = SharedData.path("tinystories-sample/tinystories_v2_sample.txt");
    JsonNode result =
        Cli.json("eval", "--model", model, "--text", text, "--separator", "<|endoftext|>");
    assertThat(result.path("predicted_tokens").asInt()).isEqualTo(889);
    assertThat(result.path("nll").asDouble()).isCloseTo(2.286795, offset(1e-4));
    assertThat(result.path("bits_per_byte").asDouble()).isCloseTo(0.789062, offset(1e-4));
    for (int i = 0; i < NLL.length; i++) {
      assertThat(result.path("pieces").get(i).path("nll").asDouble())
          .isCloseTo(NLL[i], offset(1e-4));
    }
  }
}
