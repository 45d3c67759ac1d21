package dev.cria.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * Kills {@code cria sft} processes with SIGKILL at random moments. Each resume must go on from a
 * checkpoint, repeat fewer steps than lie between checkpoints, and end in the bits of a run that
 * nothing disturbed.
 */
class KillResumeTest {
  private static final int SAVE_EVERY = 3;
  private static final int STEPS = 150;

  @TempDir private Path folder;

  @Test
  void twoKills() throws Exception {
    survives(2, 1);
  }

  @Test
  @Tag("slow")
  void tenKills() throws Exception {
    survives(10, 2);
  }

  private void survives(int kills, long seed) throws Exception {
    Path model = TinyModel.make(folder);
    Path data = TinyModel.instructions(folder, 60);
    Path calm = folder.resolve("calm");
    Object[] args = {
      "sft",
      "--model",
      model,
      "--data",
      data,
      "--steps",
      STEPS,
      "--save-every",
      SAVE_EVERY,
      "--batch-tokens",
      512,
      "--accumulate",
      2,
      "--dropout",
      0.1,
      "--quantize",
      "nf4",
      "--seed",
      3,
      "--hold-out",
      5
    };
    Cli.ok(with(args, "--out", calm));
    Random random = new Random(seed);
    Path hunted = folder.resolve("hunted");
    int beyondFirst = 0;
    for (int kill = 0; kill < kills; kill++) {
      // All but two kills, at most, fall after the first checkpoint.
      long before = newest(hunted);
      int steps = random.nextInt(STEPS / (kills + 1)) + (kill == 0 ? 0 : 1);
      long seen = killed(with(args, "--out", hunted, "--resume"), hunted, before + steps, random);
      long saved = newest(hunted);
      beyondFirst += saved > 0 ? 1 : 0;
      // What was done and not saved is what the next run repeats.
      assertThat(seen - saved).isLessThan(SAVE_EVERY);
      assertThat(saved).isGreaterThanOrEqualTo(before);
    }
    assertThat(beyondFirst).isGreaterThanOrEqualTo(kills - 2).isPositive();
    long from = newest(hunted);
    JsonNode end = Cli.json(with(args, "--out", hunted, "--resume"));
    assertThat(end.path("resumed_after").asLong()).isEqualTo(from).isPositive();
    assertThat(losses(hunted)).hasSize(STEPS).isEqualTo(losses(calm));
    assertThat(hunted.resolve("adapter/adapter_model.safetensors"))
        .hasSameBinaryContentAs(calm.resolve("adapter/adapter_model.safetensors"));
  }

  private static Object[] with(Object[] args, Object... more) {
    Object[] all = Arrays.copyOf(args, args.length + more.length);
    System.arraycopy(more, 0, all, args.length, more.length);
    return all;
  }

  /** Runs a process and kills it a moment after it logged a step; gives the last logged step. */
  private long killed(Object[] args, Path out, long step, Random random) throws Exception {
    Path log = folder.resolve("process.log");
    Process process = CliProcess.start(log, List.of(), args);
    try {
      long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(5);
      while (logged(out) <= step) {
        if (!process.isAlive() || System.nanoTime() > deadline) {
          throw new AssertionError("the run ended by itself: " + Files.readString(log));
        }
        Thread.sleep(2);
      }
      // Into a step, an update, the log or the writing of a checkpoint.
      Thread.sleep(random.nextInt(40));
    } finally {
      process.destroyForcibly().waitFor();
    }
    return logged(out);
  }

  /** The newest step in the log, 0 without one; the last line may be half written. */
  private static long logged(Path out) throws IOException {
    Path file = out.resolve("metrics.jsonl");
    if (!Files.isRegularFile(file)) {
      return 0;
    }
    long newest = 0;
    for (String line : Files.readString(file).split("\n")) {
      if (line.endsWith("}") && line.contains("\"event\":\"step\"")) {
        newest = CriaCommand.LINE.readTree(line).path("step").asLong();
      }
    }
    return newest;
  }

  /** Step of the newest checkpoint, 0 without one. */
  private static long newest(Path out) throws IOException {
    Path checkpoints = out.resolve("checkpoints");
    if (!Files.isDirectory(checkpoints)) {
      return 0;
    }
    try (Stream<Path> list = Files.list(checkpoints)) {
      return list.map(p -> p.getFileName().toString())
          .filter(name -> name.startsWith("checkpoint-"))
          .mapToLong(name -> Long.parseLong(name.substring("checkpoint-".length())))
          .max()
          .orElse(0);
    }
  }

  private static List<Double> losses(Path out) throws IOException {
    List<Double> losses = new ArrayList<>();
    for (String line : Files.readAllLines(out.resolve("metrics.jsonl"))) {
      JsonNode node = CriaCommand.LINE.readTree(line);
      if (node.path("event").asString().equals("step")) {
        losses.add(node.path("loss").asDouble());
      }
    }
    return losses;
  }
}
