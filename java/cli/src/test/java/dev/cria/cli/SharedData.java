package dev.cria.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/** Finds the shared test data and skips a test, saying so, where it is absent. */
final class SharedData {
  private SharedData() {}

  /** A file or folder of the shared data; the test is skipped if it is not there. */
  static Path path(String name) {
    String given = System.getenv("CRIA_TEST_DATA");
    Path root =
        given != null && !given.isEmpty()
            ? Path.of(given)
            : repository().resolveSibling("shared").resolve("data");
    Path path = root.resolve(name);
    Assumptions.assumeTrue(
        Files.exists(path), () -> "skipped: no test data at " + path + " (set CRIA_TEST_DATA)");
    return path;
  }

  /** The root of this repository. */
  static Path repository() {
    Path at = Path.of("").toAbsolutePath();
    while (at.getParent() != null && !Files.isRegularFile(at.resolve("CMakeLists.txt"))) {
      at = at.getParent();
    }
    return at;
  }
}
