package dev.cria.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** Runs commands that must fail: one clear line, and no file made, changed or removed. */
abstract class Refusals {
  @TempDir Path folder;
  Path model = Path.of("");
  Path data = Path.of("");
  Path out = Path.of("");

  @BeforeEach
  void makeModel() {
    model = TinyModel.make(folder);
    data = TinyModel.instructions(folder, 20);
    out = folder.resolve("out");
  }

  /** Runs a command that must fail with this code and message and leave every file as it was. */
  void refused(int code, String message, Object... args) {
    Map<String, String> before = files();
    Cli result = Cli.run(args);
    assertThat(result.err()).contains(message);
    assertThat(result.code()).isEqualTo(code);
    assertThat(result.out()).isEmpty();
    assertThat(result.err()).startsWith("cria " + args[0] + ": ").doesNotContain("\tat ");
    // An error of usage has a second line that names the help.
    assertThat(result.err().strip().lines().count()).isEqualTo(code);
    assertThat(files()).isEqualTo(before);
  }

  /** Size and time of everything in the folder. */
  private Map<String, String> files() {
    Map<String, String> all = new TreeMap<>();
    try (Stream<Path> walk = Files.walk(folder)) {
      for (Path p : walk.filter(p -> !p.equals(folder)).toList()) {
        all.put(
            p.toString(),
            (Files.isDirectory(p) ? "folder" : Files.size(p)) + " " + Files.getLastModifiedTime(p));
      }
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    return all;
  }

  /** {@code cria sft} with further options, which replace those of the same name. */
  Object[] sft(Object... more) {
    List<Object> args = new ArrayList<>(List.of("sft"));
    Map<String, Object> usual = new LinkedHashMap<>();
    usual.put("--model", model);
    usual.put("--data", data);
    usual.put("--out", out);
    usual.put("--steps", 2);
    usual.forEach(
        (name, value) -> {
          if (!Arrays.asList(more).contains(name)) {
            args.add(name);
            args.add(value);
          }
        });
    args.addAll(Arrays.asList(more));
    return args.toArray();
  }
}
