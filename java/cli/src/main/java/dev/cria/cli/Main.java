package dev.cria.cli;

import java.io.OutputStreamWriter;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The root of the cria command; without a subcommand it prints its help. */
@Command(
    name = "cria",
    description = "Train and align LLaMA-family language models.",
    mixinStandardHelpOptions = true,
    versionProvider = Main.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      DemoCommand.class,
      ImportCommand.class,
      InitCommand.class,
      InfoCommand.class,
      GenerateCommand.class,
      ChatCommand.class,
      EvalCommand.class,
      SftCommand.class,
      DpoCommand.class,
      MergeCommand.class,
      DeviceCheckCommand.class,
      BenchCommand.class
    },
    footer = {
      "",
      "Begin with: cria demo",
      "Then:       cria import model.gguf my-model && cria chat --model my-model",
      "Each command explains itself with --help. Exit codes: 0 done, 1 failed, 2 wrong usage."
    })
public final class Main implements Runnable {
  @Spec private CommandSpec spec = CommandSpec.create();

  /** Runs the command and exits with 0 (done), 1 (failed) or 2 (wrong usage). */
  public static void main(String[] args) {
    System.exit(execute(args));
  }

  /** Runs the command in this process and gives its exit code. */
  static int execute(String... args) {
    return execute(utf8(System.out), utf8(System.err), args);
  }

  /** Text of a model is any Unicode, whatever the locale of the machine. */
  private static PrintWriter utf8(PrintStream stream) {
    return new PrintWriter(new OutputStreamWriter(stream, StandardCharsets.UTF_8));
  }

  /** The same, printing elsewhere. */
  static int execute(PrintWriter out, PrintWriter err, String... args) {
    int code =
        new CommandLine(new Main())
            .setOut(out)
            .setErr(err)
            .setCaseInsensitiveEnumValuesAllowed(true)
            .setExecutionExceptionHandler(Failures::report)
            .setParameterExceptionHandler(Failures::usage)
            .setUsageHelpLongOptionsMaxWidth(32)
            .setUsageHelpWidth(100)
            .execute(args);
    out.flush();
    err.flush();
    return code;
  }

  @Override
  public void run() {
    spec.commandLine().usage(spec.commandLine().getOut());
  }

  /** What {@code --version} prints. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {"cria " + Versions.cria()};
    }
  }
}
