package dev.cria.llm;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/** Finds the shared test data and skips a test, saying so, where it is absent. */
public final class TestData {
  private TestData() {}

  /** A file or folder of the shared data; the test is skipped if it is not there. */
  public static Path path(String name) {
    Path path = root().resolve(name);
    Assumptions.assumeTrue(
        Files.exists(path), () -> "skipped: no test data at " + path + " (set CRIA_TEST_DATA)");
    return path;
  }

  /** A file of the repository. */
  public static Path repository(String name) {
    return repository().resolve(name);
  }

  private static Path root() {
    String given = System.getenv("CRIA_TEST_DATA");
    if (given != null && !given.isEmpty()) {
      return Path.of(given);
    }
    return repository().resolveSibling("shared").resolve("data");
  }

  private static Path repository() {
    Path at = Path.of("").toAbsolutePath();
    while (at.getParent() != null && !Files.isRegularFile(at.resolve("CMakeLists.txt"))) {
      at = at.getParent();
    }
    return at;
  }
}
