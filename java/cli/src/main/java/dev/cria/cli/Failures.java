package dev.cria.cli;

import dev.cria.CriaException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import picocli.CommandLine;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/** Turns an exception into one line on standard error and an exit code. */
final class Failures {
  private Failures() {}

  static int report(Exception problem, CommandLine command, ParseResult parsed) {
    command.getErr().println("cria " + command.getCommandName() + ": " + message(problem));
    boolean debug = command.getCommandSpec().userObject() instanceof CriaCommand own && own.debug();
    if (debug || !(expected(problem))) {
      problem.printStackTrace(command.getErr());
    }
    command.getErr().flush();
    return ExitCode.SOFTWARE;
  }

  /** What is wrong with the command line, in one line, and where to read on. */
  static int usage(ParameterException problem, String[] args) {
    CommandLine command = problem.getCommandLine();
    String name = command.getCommandSpec().qualifiedName();
    String message = String.valueOf(problem.getMessage()).replace('\n', ' ').strip();
    command.getErr().println(name + ": " + message);
    command.getErr().println("Try '" + name + " --help'.");
    command.getErr().flush();
    return ExitCode.USAGE;
  }

  /** Failures that their message explains; anything else is a defect and shows its trace. */
  private static boolean expected(Exception problem) {
    return problem instanceof CriaException
        || problem instanceof IOException
        || problem instanceof UncheckedIOException;
  }

  private static String message(Throwable problem) {
    if (problem instanceof UncheckedIOException wrapped && wrapped.getCause() != null) {
      return message(wrapped.getCause());
    }
    String text = problem.getMessage() == null ? problem.toString() : problem.getMessage();
    if (problem instanceof NoSuchFileException) {
      return text + ": no such file or folder";
    }
    if (problem instanceof AccessDeniedException) {
      return text + ": permission denied";
    }
    if (problem instanceof FileSystemException) {
      return text;
    }
    return problem instanceof CriaException || problem instanceof IOException
        ? text
        : problem.getClass().getSimpleName() + ": " + text;
  }
}
