package dev.cria.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** sft, dpo and merge on a tiny model. */
class TrainingCommandsTest {
  @TempDir private Path folder;
  private Path model = Path.of("");

  @BeforeEach
  void makeModel() {
    model = TinyModel.make(folder);
  }

  private Object[] sft(Path out, Object... more) {
    return command("sft", TinyModel.instructions(folder, 40), out, more);
  }

  private Object[] dpo(Path out, Object... more) {
    return command("dpo", TinyModel.pairs(folder, 40), out, more);
  }

  private Object[] command(String name, Path data, Path out, Object... more) {
    List<Object> args =
        new ArrayList<>(List.of(name, "--model", model, "--data", data, "--out", out));
    args.addAll(Arrays.asList(more));
    return args.toArray();
  }

  private static double mean(JsonNode result, String figure) {
    return result.path(figure).path("mean").asDouble(Double.NaN);
  }

  @Test
  void sftLowersTheHeldOutLossAndLeavesAWholeFolder() throws IOException {
    Path out = folder.resolve("run");
    JsonNode result =
        Cli.json(
            sft(
                out,
                "--steps",
                30,
                "--lr",
                0.02,
                "--hold-out",
                8,
                "--batch-tokens",
                256,
                "--quantize",
                "nf4"));
    JsonNode difference = result.path("held_out_loss_difference");
    assertThat(difference.path("high95").asDouble()).isLessThan(0);
    assertThat(mean(result, "held_out_loss_after") - mean(result, "held_out_loss_before"))
        .isCloseTo(difference.path("mean").asDouble(), offset(1e-9));
    assertThat(result.path("tokens_per_second").asDouble()).isPositive();
    assertThat(result.path("peak_resident_bytes").asLong()).isPositive();
    try (Stream<Path> list = Files.list(out)) {
      assertThat(list.map(p -> p.getFileName().toString()))
          .containsExactlyInAnyOrder("adapter", "run.json", "metrics.jsonl", "report.html");
    }
    JsonNode record = CriaCommand.LINE.readTree(Files.readString(out.resolve("run.json")));
    assertThat(record.path("command").asString()).isEqualTo("sft");
    JsonNode settings = record.path("settings").path("training");
    assertThat(settings.path("quantize").asString()).isEqualTo("nf4");
    assertThat(settings.path("steps").asInt()).isEqualTo(30);
    assertThat(record.path("versions").path("isa").asString()).isNotEmpty();
    assertThat(record.path("held_out_records").asInt()).isEqualTo(8);
    // 30 steps and the evaluations before and after.
    assertThat(Files.readAllLines(out.resolve("metrics.jsonl"))).hasSize(32);
    assertThat(Files.readString(out.resolve("report.html"))).contains("<svg");
  }

  @Test
  void sftIsTheSameForAnyNumberOfThreads() throws IOException {
    Cli.ok(sft(folder.resolve("one"), "--steps", 5, "--dropout", 0.1, "--threads", 1));
    Cli.ok(sft(folder.resolve("two"), "--steps", 5, "--dropout", 0.1, "--threads", 2));
    assertThat(adapter(folder.resolve("two"))).isEqualTo(adapter(folder.resolve("one")));
  }

  private static byte[] adapter(Path run) throws IOException {
    return Files.readAllBytes(run.resolve("adapter").resolve("adapter_model.safetensors"));
  }

  @Test
  void fullTrainingWritesAModelThatGenerates() {
    Path out = folder.resolve("run");
    Cli.ok(sft(out, "--full", "--steps", 3));
    assertThat(out.resolve("adapter")).doesNotExist();
    JsonNode made =
        Cli.json("generate", "--model", out.resolve("model"), "--greedy", "--max-tokens", 3);
    assertThat(made.path("text").isString()).isTrue();
  }

  @Test
  void targetsNameTheMatricesOfTheAdapter() throws IOException {
    Path out = folder.resolve("run");
    Cli.ok(sft(out, "--steps", 1, "--targets", "q_proj,v_proj", "--rank", 4));
    String config = Files.readString(out.resolve("adapter/adapter_config.json"));
    JsonNode parsed = CriaCommand.LINE.readTree(config);
    assertThat(parsed.path("r").asInt()).isEqualTo(4);
    List<String> targets = new ArrayList<>();
    parsed.path("target_modules").forEach(n -> targets.add(n.asString()));
    assertThat(targets).containsExactlyInAnyOrder("q_proj", "v_proj");
  }

  @Test
  void mergedModelAnswersAsTheAdapterDoes() {
    Path out = folder.resolve("run");
    Cli.ok(sft(out, "--steps", 20, "--lr", 0.02));
    Path merged = folder.resolve("merged");
    Cli.ok("merge", "--model", model, "--adapter", out.resolve("adapter"), "--out", merged);
    Path text = TinyModel.text(folder.resolve("text.txt"), "after a1 comes b");
    double apart =
        Cli.json("eval", "--model", model, "--adapter", out.resolve("adapter"), "--text", text)
            .path("nll")
            .asDouble();
    double together = Cli.json("eval", "--model", merged, "--text", text).path("nll").asDouble();
    double bare = Cli.json("eval", "--model", model, "--text", text).path("nll").asDouble();
    assertThat(together).isCloseTo(apart, offset(1e-3));
    assertThat(Math.abs(bare - apart)).isGreaterThan(0.1);
  }

  @Test
  void resumeEndsInTheSameBitsAndRepeatsNothingSaved() throws IOException {
    Path whole = folder.resolve("whole");
    Path parts = folder.resolve("parts");
    Cli.ok(sft(whole, "--steps", 10, "--dropout", 0.1, "--save-every", 4));
    Cli.ok(sft(parts, "--steps", 10, "--dropout", 0.1, "--save-every", 4));
    // As if killed after step 9: the newest checkpoint of a run of ten steps is removed.
    dev.cria.llm.checkpoint.AtomicFolder.remove(parts.resolve("checkpoints/checkpoint-10"));
    dev.cria.llm.checkpoint.AtomicFolder.remove(parts.resolve("adapter"));
    JsonNode resumed =
        Cli.json(sft(parts, "--steps", 10, "--dropout", 0.1, "--save-every", 4, "--resume"));
    assertThat(resumed.path("resumed_after").asInt()).isEqualTo(8);
    assertThat(adapter(parts)).isEqualTo(adapter(whole));
    assertThat(losses(parts)).isEqualTo(losses(whole)).hasSize(10);
  }

  private static List<Double> losses(Path run) throws IOException {
    List<Double> losses = new ArrayList<>();
    for (String line : Files.readAllLines(run.resolve("metrics.jsonl"))) {
      JsonNode node = CriaCommand.LINE.readTree(line);
      if (node.path("event").asString().equals("step")) {
        losses.add(node.path("loss").asDouble());
      }
    }
    return losses;
  }

  @Test
  void resumeWithOtherSettingsIsRefusedAndChangesNothing() throws IOException {
    Path out = folder.resolve("run");
    Cli.ok(sft(out, "--steps", 4, "--save-every", 2));
    String before = Files.readString(out.resolve("run.json"));
    Cli other = Cli.run(sft(out, "--steps", 4, "--save-every", 2, "--lr", 0.5, "--resume"));
    assertThat(other.code()).isEqualTo(1);
    assertThat(other.err()).contains("cannot be resumed");
    assertThat(Files.readString(out.resolve("run.json"))).isEqualTo(before);
  }

  @Test
  void overwriteReplacesARun() throws IOException {
    Path out = folder.resolve("run");
    Cli.ok(sft(out, "--steps", 4, "--save-every", 2));
    Cli.ok(sft(out, "--steps", 2, "--overwrite"));
    assertThat(losses(out)).hasSize(2);
    assertThat(out.resolve("checkpoints")).doesNotExist();
  }

  @Test
  void dpoBeginsAtLogTwoWithAFreshAdapterAndWithAGivenOne() {
    Path tuned = folder.resolve("tuned");
    Cli.ok(sft(tuned, "--steps", 5, "--lr", 0.02));
    JsonNode fresh = Cli.json(dpo(folder.resolve("fresh"), "--steps", 2));
    JsonNode given =
        Cli.json(
            dpo(
                folder.resolve("given"),
                "--steps",
                2,
                "--adapter",
                tuned.resolve("adapter"),
                "--quantize",
                "nf4"));
    assertThat(fresh.path("first_loss").asDouble()).isCloseTo(Math.log(2), offset(1e-6));
    assertThat(given.path("first_loss").asDouble()).isCloseTo(Math.log(2), offset(1e-6));
  }

  @Test
  void dpoLearnsThePreference() {
    JsonNode result =
        Cli.json(dpo(folder.resolve("run"), "--steps", 40, "--lr", 0.02, "--hold-out", 10));
    // Ties before the first update count half.
    assertThat(mean(result, "margin_accuracy_before")).isEqualTo(0.5);
    assertThat(mean(result, "margin_accuracy_after")).isGreaterThan(0.9);
    assertThat(mean(result, "logp_accuracy_after")).isGreaterThan(0.9);
    // "comes b" is longer than "no a".
    assertThat(mean(result, "shorter_accuracy")).isZero();
    assertThat(result.path("above_length").asBoolean()).isTrue();
  }

  @Test
  void dpoLossesBeginWhereTheirFormulasSay() {
    // At equal policies: hinge max(0, 1 - 0); IPO (0 - 1 / (2 beta))^2 with beta 0.5.
    assertThat(firstLoss("hinge")).isCloseTo(1, offset(1e-6));
    assertThat(firstLoss("ipo")).isCloseTo(1, offset(1e-5));
    assertThat(firstLoss("ipo-sum")).isCloseTo(1, offset(1e-5));
  }

  private double firstLoss(String loss) {
    return Cli.json(dpo(folder.resolve(loss), "--steps", 1, "--loss", loss, "--beta", 0.5))
        .path("first_loss")
        .asDouble();
  }

  @Test
  void longRecordsAreCutOrLeftOutAndCounted() throws IOException {
    Path data =
        TinyModel.text(
            folder.resolve("long.jsonl"),
            "{\"prompt\": \"a\", \"completion\": \"%s\"}\n{\"prompt\": \"a\", \"completion\": \"b\"}\n"
                .formatted("b".repeat(60)));
    Path dropped = folder.resolve("dropped");
    Cli.ok(command("sft", data, dropped, "--steps", 1, "--max-length", 32, "--drop-long"));
    JsonNode record = CriaCommand.LINE.readTree(Files.readString(dropped.resolve("run.json")));
    assertThat(record.path("records").asInt()).isEqualTo(1);
    assertThat(record.path("left_out").path("longer than 32 tokens").asInt()).isEqualTo(1);
    Path cut = folder.resolve("cut");
    Cli.ok(command("sft", data, cut, "--steps", 1, "--max-length", 32, "--truncate"));
    record = CriaCommand.LINE.readTree(Files.readString(cut.resolve("run.json")));
    assertThat(record.path("records").asInt()).isEqualTo(2);
  }
}
