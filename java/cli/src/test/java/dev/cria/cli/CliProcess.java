package dev.cria.cli;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Starts the command in a process of its own, as {@code ./cria} does. */
final class CliProcess {
  private CliProcess() {}

  /**
   * Starts {@code cria args}.
   *
   * @param log takes what it prints
   * @param options more options of Java
   */
  static Process start(Path log, List<String> options, Object... args) throws IOException {
    Path target = Path.of("target").toAbsolutePath();
    List<String> command = new ArrayList<>();
    command.add(ProcessHandle.current().info().command().orElseThrow());
    command.add("@" + Path.of("jvm.options").toAbsolutePath());
    command.addAll(options);
    command.add("-Dcria.library.path=" + System.getProperty("cria.library.path"));
    // The build leaves the module path in this file.
    String path = Files.readString(target.resolve("runtime-path")).strip();
    command.addAll(List.of("-p", target.resolve("classes") + File.pathSeparator + path));
    command.addAll(List.of("-m", "dev.cria.cli/dev.cria.cli.Main"));
    Arrays.stream(args).map(Object::toString).forEach(command::add);
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(log.toFile())
        .start();
  }
}
