package dev.cria.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cria.llm.train.History;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The file has one line for every report, also after a kill and a resume. */
final class MetricsLogTest {
  @TempDir private Path folder = Path.of("");

  @Test
  void everyReportIsALineAtOnce() throws IOException {
    Path file = folder.resolve("new").resolve("metrics.jsonl");
    try (MetricsLog log = MetricsLog.append(file, "sft")) {
      log.evaluated(Histories.evaluation(0, 3));
      log.step(Histories.step(1, 2.5, Map.of("accuracy", 0.5)));
      assertThat(places(file)).containsExactly("sft evaluation 0", "sft step 1");
    }
    JsonNode step = lines(file).get(1);
    assertThat(step.path("loss").asDouble()).isEqualTo(2.5);
    assertThat(step.path("accuracy").asDouble()).isEqualTo(0.5);
    assertThat(lines(file).get(0).path("loss").path("mean").asDouble()).isEqualTo(3);
  }

  @Test
  void stagesFollowEachOtherInOneFile() throws IOException {
    Path file = folder.resolve("metrics.jsonl");
    for (String stage : List.of("sft", "dpo")) {
      try (MetricsLog log = MetricsLog.append(file, stage)) {
        log.step(Histories.step(1, 1, Map.of()));
      }
    }
    assertThat(places(file)).containsExactly("sft step 1", "dpo step 1");
  }

  @Test
  void resumeDropsStepsThatAreRepeatedAndHalfALine() throws IOException {
    Path file = folder.resolve("metrics.jsonl");
    try (MetricsLog log = MetricsLog.append(file, "pretrain")) {
      log.step(Histories.step(1, 9, Map.of()));
    }
    try (MetricsLog log = MetricsLog.append(file, "sft")) {
      for (int i = 1; i <= 4; i++) {
        log.step(Histories.step(i, i, Map.of()));
      }
    }
    Files.writeString(file, "{\"stage\":\"sft\",\"ev", StandardOpenOption.APPEND);
    History kept =
        new History(
            List.of(Histories.step(1, 1, Map.of()), Histories.step(2, 2, Map.of())),
            List.of(Histories.evaluation(0, 3), Histories.evaluation(2, 2)));
    try (MetricsLog log = MetricsLog.append(file, "sft")) {
      log.resumed(2, kept);
      log.step(Histories.step(3, 3.5, Map.of()));
    }
    assertThat(places(file))
        .containsExactly(
            "pretrain step 1",
            "sft evaluation 0",
            "sft step 1",
            "sft step 2",
            "sft evaluation 2",
            "sft step 3");
    assertThat(lines(file).getLast().path("loss").asDouble()).isEqualTo(3.5);
  }

  private static List<JsonNode> lines(Path file) throws IOException {
    return Files.readAllLines(file).stream().map(JsonMapper.shared()::readTree).toList();
  }

  private static List<String> places(Path file) throws IOException {
    return lines(file).stream()
        .map(
            n ->
                n.path("stage").asString()
                    + " "
                    + n.path("event").asString()
                    + " "
                    + n.path("step").asLong())
        .toList();
  }
}
