package dev.cria.cli;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Runs the command in this process and keeps what it prints. */
record Cli(int code, String out, String err) {
  /** Runs {@code cria args}. */
  static Cli run(Object... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    String[] words = new String[args.length];
    for (int i = 0; i < words.length; i++) {
      words[i] = args[i].toString();
    }
    int code = Main.execute(new PrintWriter(out), new PrintWriter(err), words);
    return new Cli(code, out.toString(), err.toString());
  }

  /** The same with standard input. */
  static Cli typing(String input, Object... args) {
    InputStream before = System.in;
    System.setIn(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
    try {
      return run(args);
    } finally {
      System.setIn(before);
    }
  }

  /** Runs a command that must succeed. */
  static Cli ok(Object... args) {
    Cli result = run(args);
    if (result.code != 0) {
      throw new AssertionError("exit code " + result.code + ": " + result.err);
    }
    return result;
  }

  /** Runs a command that must succeed with {@code --json} and gives its answer. */
  static JsonNode json(Object... args) {
    Object[] more = java.util.Arrays.copyOf(args, args.length + 1);
    more[args.length] = "--json";
    return JsonMapper.shared().readTree(ok(more).out);
  }
}
