package dev.cria.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.openjdk.jmh.results.format.ResultFormatType;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/** JMH with its own command line; afterwards a table of what was measured. */
public final class Main {
  /** System property that names the folder of the results. */
  private static final String RESULTS = "cria.bench.results";

  /** System property with the command line, to be shown beside the results. */
  private static final String COMMAND = "cria.bench.command";

  private Main() {}

  /** Takes the options of JMH. */
  public static void main(String[] args) throws IOException {
    try {
      run(args);
    } catch (CommandLineOptionException | RunnerException e) {
      System.err.println(e.getMessage() == null ? e.toString() : e.getMessage());
      System.exit(1);
    }
  }

  private static void run(String[] args)
      throws CommandLineOptionException, RunnerException, IOException {
    CommandLineOptions given = new CommandLineOptions(args);
    if (given.shouldHelp()
        || given.shouldList()
        || given.shouldListWithParams()
        || given.shouldListProfilers()
        || given.shouldListResultFormats()) {
      org.openjdk.jmh.Main.main(args);
      return;
    }
    Path folder = Path.of(System.getProperty(RESULTS, "."));
    Files.createDirectories(folder);
    OptionsBuilder options = new OptionsBuilder();
    options.parent(given);
    if (!given.getResultFormat().hasValue()) {
      options.resultFormat(ResultFormatType.JSON);
    }
    if (!given.getResult().hasValue()) {
      options.result(folder.resolve("jmh.json").toString());
    }
    String table = Table.of(new Runner(options.build()).run());
    String command = System.getProperty(COMMAND, "").strip();
    String text = "%s `%s`%n%n%s".formatted(Machine.describe(), command, table);
    Files.writeString(folder.resolve("jmh.md"), text);
    System.out.printf("%n%s", text);
  }
}
