package dev.cria.cli;

import picocli.CommandLine.Option;

/** What a measured step trains: an adapter, or everything. */
final class BenchAdapter {
  @Option(
      names = "--rank",
      order = 10,
      paramLabel = "R",
      defaultValue = "16",
      description = "Rank of the LoRA adapter on all linear layers (${DEFAULT-VALUE}).")
  private int rank;

  @Option(
      names = "--full",
      order = 11,
      description = "Train all parameters instead of an adapter; needs dense weights.")
  private boolean full;

  void check(CriaCommand command) {
    if (rank < 1 || rank > 1024) {
      throw command.usage("--rank must be 1..1024: " + rank);
    }
  }

  /** The rank; 0 for all parameters. */
  int rank() {
    return full ? 0 : rank;
  }
}
