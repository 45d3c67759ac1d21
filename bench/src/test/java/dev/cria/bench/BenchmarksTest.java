package dev.cria.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Collection;
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
  @Test
  void everyBenchmarkRunsAndIsRated() throws RunnerException {
    OptionsBuilder options = new OptionsBuilder();
    options
        .include("dev\\.cria\\.bench\\..*")
        .param("model", "TINY")
        .param("tokens", "3")
        .param("pairs", "3")
        .forks(0)
        .warmupIterations(0)
        .measurementIterations(1)
        .measurementTime(TimeValue.milliseconds(1))
        .shouldFailOnError(true)
        .verbosity(VerboseMode.SILENT);
    Collection<RunResult> results = new Runner(options.build()).run();
    assertThat(results).hasSizeGreaterThan(80);
    for (RunResult result : results) {
      Result<?> share = result.getSecondaryResults().get("percentOfPeak");
      boolean operation = !result.getParams().getBenchmark().contains("FfmCall");
      assertThat(share != null && share.getScore() > 0).isEqualTo(operation);
    }
    assertThat(Table.of(results).lines()).hasSize(results.size() + 2);
  }
}
