package dev.cria.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The family of measurements; without a name it prints its help. */
@Command(
    name = "bench",
    sortOptions = false,
    synopsisSubcommandLabel = "WHAT",
    description = {
      "Measure the speed of this machine: what it could do at best, and what Cria makes of it.",
      "Every figure is a median, with the least and the most, beside a calibration of the same run."
    },
    subcommands = {
      BenchPeakCommand.class,
      BenchMatmulCommand.class,
      BenchAttentionCommand.class,
      BenchStepCommand.class,
      BenchDpoCommand.class,
      BenchPromptCommand.class,
      BenchDecodeCommand.class,
      BenchLoadCommand.class,
      BenchPretrainSmallCommand.class
    },
    footer = {
      "",
      "Examples:",
      "  cria bench peak",
      "  cria bench step --tokens 512 --memory 3.5g",
      "CRIA_MAX_ISA=avx2 in the environment measures a lower instruction-set tier."
    })
final class BenchCommand implements Runnable {
  @Spec private CommandSpec spec = CommandSpec.create();

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  private boolean help;

  @Override
  public void run() {
    spec.commandLine().usage(spec.commandLine().getOut());
  }
}
