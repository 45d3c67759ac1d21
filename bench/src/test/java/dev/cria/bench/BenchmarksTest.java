package dev.cria.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cria.Profile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/** Every benchmark runs, with every value of its parameters, on shapes that take no time. */
class BenchmarksTest {
  private static Collection<RunResult> results = List.of();

  @BeforeAll
  static void runEveryBenchmark() throws RunnerException {
    Profile.enable();
    OptionsBuilder options = new OptionsBuilder();
    options
        .include("dev\\.cria\\.bench\\..*")
        // Other libraries, in the profile of that name, need processes of their own.
        .exclude("Peers|JniCall")
        .param("model", "TINY")
        .param("tokens", "3")
        .param("pairs", "3")
        .forks(0)
        .warmupIterations(0)
        .measurementIterations(1)
        .measurementTime(TimeValue.milliseconds(1))
        .shouldFailOnError(true)
        .verbosity(VerboseMode.SILENT);
    results = new Runner(options.build()).run();
  }

  @Test
  void everyOperationIsRated() {
    assertThat(results).isNotEmpty();
    for (RunResult result : results) {
      Result<?> share = result.getSecondaryResults().get("percentOfPeak");
      boolean operation = !result.getParams().getBenchmark().contains("FfmCall");
      assertThat(share != null && share.getScore() > 0)
          .as(result.getParams().id())
          .isEqualTo(operation);
    }
  }

  @Test
  void tableHasALineForEachResult() {
    assertThat(Table.of(results).lines().filter(line -> line.startsWith("|")))
        .hasSize(results.size() + 2);
  }

  /** All but what does no work of its own, or none on a CPU. */
  @Test
  void everyFunctionOfADeviceIsMeasured() throws IOException {
    Path table = Path.of(System.getProperty("cria.root", ".."), "native/abi/entry_points.inc");
    List<String> functions =
        Pattern.compile("^CRIA_DEVICE\\((\\w+)\\)", Pattern.MULTILINE)
            .matcher(Files.readString(table))
            .results()
            .map((MatchResult line) -> "cria_" + Objects.requireNonNull(line.group(1)))
            .filter(name -> !name.matches("cria_(graph_.*|upload|download|kv_length|check_.*)"))
            .toList();
    assertThat(functions).isNotEmpty();
    assertThat(Profile.entries().stream().map(Profile.Entry::name)).containsAll(functions);
  }
}
