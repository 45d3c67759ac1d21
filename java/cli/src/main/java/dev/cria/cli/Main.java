package dev.cria.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The root of the cria command; without a subcommand it prints its help. */
@Command(
    name = "cria",
    description = "Train and align LLaMA-family language models.",
    mixinStandardHelpOptions = true)
public final class Main implements Runnable {
  private final CommandLine commandLine = new CommandLine(this);

  private Main() {}

  /** Runs the command and exits with 0 (done), 1 (failed) or 2 (wrong usage). */
  public static void main(String[] args) {
    System.exit(new Main().commandLine.execute(args));
  }

  @Override
  public void run() {
    commandLine.usage(commandLine.getOut());
  }
}
