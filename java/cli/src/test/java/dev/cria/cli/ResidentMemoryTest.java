package dev.cria.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Training steps leave nothing behind: the resident memory of the process does not creep up. */
class ResidentMemoryTest {
  private static final int STEPS = 1000;

  @TempDir private Path folder;

  @Test
  void thousandStepsOfATinyModelLeaveLessThanAPageEach() throws Exception {
    Path model = TinyModel.make(folder);
    Path data = TinyModel.instructions(folder, 60);
    // Without the compiler, whose memory would outweigh that of such a model.
    long[] resident = train(List.of("-Xint"), model, data, "--batch-tokens", 64);
    assertThat(settled(resident, STEPS) - settled(resident, 100)).isLessThan((STEPS - 100) * 4096L);
  }

  @Test
  @Tag("slow")
  void aThousandStepsOfARealModelStayWithinOnePercent() throws Exception {
    Path gguf = SharedData.path("smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf");
    Path model = folder.resolve("smollm2");
    Cli.ok("import", gguf, model);
    Path data = folder.resolve("texts.jsonl");
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < 100; i++) {
      lines.append("{\"text\": \"%s\"}\n".formatted((i + " and then there were more, ").repeat(8)));
    }
    TinyModel.text(data, lines.toString());
    long[] resident =
        train(List.of(), model, data, "--batch-tokens", 24, "--max-length", 24, "--truncate");
    assertThat(settled(resident, STEPS)).isCloseTo(settled(resident, 100), withinPercentage(1));
  }

  /** Trains in a process of its own and gives the resident bytes after each step, from 1. */
  private long[] train(List<String> options, Path model, Path data, Object... more)
      throws Exception {
    Path out = folder.resolve("out");
    Object[] args = {
      "sft", "--model", model, "--data", data, "--out", out, "--steps", STEPS, "--quantize", "nf4"
    };
    Object[] all = Stream.concat(Stream.of(args), Stream.of(more)).toArray();
    Path log = folder.resolve("process.log");
    Process process = CliProcess.start(log, options, all);
    if (!process.waitFor(30, TimeUnit.MINUTES)) {
      process.destroyForcibly();
    }
    assertThat(process.exitValue()).as(Files.readString(log)).isZero();
    long[] resident = new long[STEPS + 1];
    for (String line : Files.readAllLines(out.resolve("metrics.jsonl"))) {
      JsonNode step = CriaCommand.LINE.readTree(line);
      resident[step.path("step").asInt()] = step.path("resident_bytes").asLong();
    }
    return resident;
  }

  /** The median of the steps up to this one: now and then memory is given back in between. */
  private static long settled(long[] resident, int step) {
    return IntStream.rangeClosed(step - 10, step).mapToLong(i -> resident[i]).sorted().toArray()[5];
  }
}
