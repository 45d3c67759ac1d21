package dev.cria.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A shrunken demo, from nothing to the report. */
final class DemoCommandTest {
  @TempDir private Path folder = Path.of("");

  @Test
  @Tag("slow")
  void demoImprovesAtBothStages() {
    Cli ran = Cli.run("demo", "--out", folder.resolve("demo"), "--json");
    assertThat(ran.code()).as(ran.out() + ran.err()).isZero();
  }

  @Test
  void smallDemoLeavesEverythingBehind() throws IOException {
    Path out = folder.resolve("demo");
    Cli ran = Cli.run("demo", "--small", "--out", out, "--json");
    JsonNode result = JsonMapper.shared().readTree(ran.out());
    assertThat(ran.code()).as(ran.err()).isEqualTo(result.path("improved").asBoolean() ? 0 : 1);
    for (String stage : List.of("base", "sft", "dpo")) {
      for (String figure : List.of("exact_match", "preference_accuracy")) {
        JsonNode share = result.path(stage).path(figure);
        assertThat(share.path("low95").asDouble())
            .isLessThanOrEqualTo(share.path("mean").asDouble());
        assertThat(share.path("high95").asDouble()).isGreaterThan(share.path("low95").asDouble());
      }
    }
    for (String made :
        List.of(
            "run.json",
            "report.html",
            "base/model.safetensors",
            "base/tokenizer.model",
            "base-nf4/config.json",
            "adapter-sft/adapter_model.safetensors",
            "adapter-dpo/adapter_config.json")) {
      assertThat(out.resolve(made)).isRegularFile();
    }
    List<String> stages =
        Files.readAllLines(out.resolve("metrics.jsonl")).stream()
            .map(line -> JsonMapper.shared().readTree(line).path("stage").asString())
            .distinct()
            .toList();
    assertThat(stages).containsExactly("pretrain", "sft", "dpo");
    assertThat(Files.readString(out.resolve("report.html"))).contains("Sample answers", "<svg");

    String instruction = "Spell rakimo backwards.";
    Cli next =
        Cli.run(
            "generate",
            "--model",
            out.resolve("base-nf4"),
            "--adapter",
            out.resolve("adapter-dpo"),
            "--greedy",
            "--max-tokens",
            "5",
            "--prompt",
            instruction);
    assertThat(next.code()).as(next.err()).isZero();
    assertThat(next.out()).startsWith(instruction);
  }

  @Test
  void existingOutputIsKept() throws IOException {
    Files.writeString(folder.resolve("precious"), "mine");
    Cli ran = Cli.run("demo", "--small", "--out", folder);
    assertThat(ran.code()).isEqualTo(1);
    assertThat(ran.err()).contains("exists already");
    assertThat(folder).isDirectoryContaining(p -> p.endsWith("precious"));
    try (var list = Files.list(folder)) {
      assertThat(list).hasSize(1);
    }
  }

  @Test
  void tablesHaveColumns() {
    assertThat(DemoCommand.lines(List.of("a", "bb"), List.of(List.of("ccc", "d"))))
        .containsExactly("a    bb", "ccc  d");
  }
}
