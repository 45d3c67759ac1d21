package dev.cria.cli;

import dev.cria.Device;
import java.io.PrintWriter;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** What all commands share: where they compute, what they print, and how they end. */
abstract class CriaCommand implements Callable<Integer> {
  static final JsonMapper JSON =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

  /** JSON on one line. */
  static final JsonMapper LINE = JsonMapper.shared();

  @Spec protected CommandSpec spec = CommandSpec.create();

  @Option(
      names = "--device",
      order = 90,
      paramLabel = "NAME",
      defaultValue = "cpu",
      description =
          "Where to compute: cpu, or cuda:0 where that library is installed (${DEFAULT-VALUE}).")
  private String device = "cpu";

  @Option(
      names = "--threads",
      order = 91,
      paramLabel = "N",
      defaultValue = "0",
      description =
          "Threads of the CPU device; 0: one for each processor. The result does not depend on it.")
  private int threads;

  @Option(
      names = "--json",
      order = 92,
      description = "Print the result as JSON for programs to read, and no progress.")
  protected boolean json;

  @Option(names = "--quiet", order = 93, description = "No progress.")
  protected boolean quiet;

  @Option(names = "--debug", order = 94, description = "Print the stack trace of a failure.")
  private boolean debug;

  @Option(
      names = {"-h", "--help"},
      order = 95,
      usageHelp = true,
      description = "Show this help.")
  private boolean help;

  final boolean debug() {
    return debug;
  }

  @Override
  public final Integer call() throws Exception {
    if (threads < 0) {
      throw usage("--threads cannot be " + threads);
    }
    check();
    return run();
  }

  /** Checks the options before anything is opened; throws {@link #usage} errors. */
  protected void check() {}

  /** Does the work and gives the exit code. */
  protected abstract int run() throws Exception;

  /** Whether the option stands on the command line. */
  protected final boolean given(String option) {
    return spec.commandLine().getParseResult().hasMatchedOption(option);
  }

  protected final Device openDevice() {
    return Device.open(device, threads);
  }

  /** An error of usage: the message, a hint to the help, exit code 2. */
  protected final ParameterException usage(String message) {
    return new ParameterException(spec.commandLine(), message);
  }

  protected final PrintWriter out() {
    return spec.commandLine().getOut();
  }

  protected final Progress progress() {
    return new Progress(!json && !quiet);
  }

  /** Prints a line for people; nothing with {@code --json}. */
  protected final void say(String format, Object... values) {
    if (!json) {
      out().println(values.length == 0 ? format : format.formatted(values));
      out().flush();
    }
  }

  /** Prints the result for programs; nothing without {@code --json}. */
  protected final void result(Map<String, ?> values) {
    if (json) {
      out().println(JSON.writeValueAsString(values));
      out().flush();
    }
  }
}
