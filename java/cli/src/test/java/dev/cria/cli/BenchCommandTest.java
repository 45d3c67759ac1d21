package dev.cria.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Percentage.withPercentage;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * Measurements, each in a process of its own as users run them: calls are counted from its start.
 */
class BenchCommandTest {
  @TempDir Path folder;

  private JsonNode bench(Object... args) throws Exception {
    Path log = Files.createTempFile(folder, "bench", ".json");
    Object[] all =
        Stream.concat(
                Stream.concat(Stream.of("bench"), Stream.of(args)),
                Stream.of("--repeats", 2, "--json"))
            .toArray();
    assertThat(CliProcess.start(log, List.of(), all).waitFor())
        .as(Files.readString(log))
        .isEqualTo(0);
    return CriaCommand.JSON.readTree(Files.readString(log));
  }

  private Path config() {
    return TinyModel.config(folder);
  }

  @Test
  void peakIsMeasured() throws Exception {
    JsonNode peak = bench("peak");
    for (String rate :
        List.of("bf16_flops_per_second", "f32_flops_per_second", "read_bytes_per_second")) {
      // More than any processor of the last ten years lacks, less than any has.
      assertThat(peak.path(rate).path("median").asDouble()).as(rate).isBetween(1e8, 1e15);
      assertThat(peak.path(rate).path("count").asInt()).isEqualTo(2);
    }
    assertThat(peak.path("processor").asString()).isNotEmpty();
  }

  @Test
  void attentionIsAShareOfThePeak() throws Exception {
    JsonNode one = bench("attention", "--tokens", 96, "--heads", 3).path("sequences").path(0);
    assertThat(one.path("forward_of_peak").asDouble()).isBetween(1e-4, 1.2);
    assertThat(one.path("backward_of_peak").asDouble()).isBetween(1e-4, 1.2);
    assertThat(one.path("peak_bytes").asLong()).isGreaterThan(4L * 4 * 96 * 300);
  }

  @Test
  void theTimesOfAStepAddUpToTheWhole() throws Exception {
    JsonNode step = bench("step", "--config", config(), "--tokens", 50, "--sequences", 2);
    assertThat(step.path("tokens").asInt()).isEqualTo(100);
    assertThat(step.path("sequences").asInt()).isEqualTo(2);
    assertAddsUp(step);
  }

  @Test
  void aPairIsOnePromptAndTwoAnswers() throws Exception {
    JsonNode dpo = bench("dpo", "--config", config(), "--prompt", 40, "--response", 20);
    assertThat(dpo.path("tokens").asInt()).isEqualTo(80);
    assertThat(dpo.path("reference_seconds_per_pair").asDouble()).isPositive();
    assertAddsUp(dpo);
  }

  private static void assertAddsUp(JsonNode step) {
    double sum = 0;
    for (JsonNode row : step.path("calls")) {
      sum += row.path("seconds").asDouble();
    }
    assertThat(sum).isCloseTo(step.path("mean_step_seconds").asDouble(), withPercentage(0.1));
    assertThat(step.path("calls").toString()).contains("cria_nf4_linear_bwd", "Java, all of it");
  }

  @Test
  void generationIsMeasured() throws Exception {
    JsonNode prompt = bench("prompt", "--config", config(), "--prompt", 40);
    assertThat(prompt.path("tokens_per_second").path("median").asDouble()).isPositive();
    JsonNode decode =
        bench("decode", "--config", config(), "--weights", "bf16", "--prompt", 40, "--tokens", 20);
    assertThat(decode.path("tokens_per_second").path("median").asDouble()).isPositive();
    // All weights, of which the tied head is the embedding, and two caches of 16 columns in two
    // blocks.
    double weights = decode.path("model_bytes").asDouble();
    assertThat(decode.path("bytes_per_token").asDouble()).isEqualTo(weights + 2 * 2 * 2 * 16 * 50);
  }

  @Test
  void loadingIsMeasured() throws Exception {
    Path model = TinyModel.make(folder);
    JsonNode load = bench("load", "--model", model, "--weights", "nf4");
    assertThat(load.path("seconds").path("median").asDouble()).isPositive();
    assertThat(load.path("file_bytes").asLong())
        .isEqualTo(Files.size(model.resolve("model.safetensors")));
  }

  @Test
  void wrongNumbersAreWrongUsage() {
    for (String[] args :
        new String[][] {
          {"peak", "--repeats", "0"},
          {"matmul", "--tokens", "0"},
          {"attention", "--head-width", "129"},
          {"step", "--tokens", "1"},
          {"dpo", "--response", "0"},
          {"decode", "--tokens", "1"},
          {"pretrain-small", "--weights", "nf4"}
        }) {
      String[] all = Stream.concat(Stream.of("bench"), Stream.of(args)).toArray(String[]::new);
      assertThat(Cli.run((Object[]) all).code()).as(String.join(" ", all)).isEqualTo(2);
    }
  }
}
