package dev.cria.llm;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Memory of this process as the operating system sees it. */
public final class ProcessMemory {
  private static final Path STATUS = Path.of("/proc/self/status");

  private ProcessMemory() {}

  /**
   * Resident bytes that are not pages of a file: the Java heap, native memory, stacks. Clean pages
   * of mapped files, which the system can drop at any time, do not count. -1 where the system does
   * not say (only Linux does).
   */
  public static long residentBytes() {
    long anonymous = field("RssAnon:");
    return anonymous < 0 ? -1 : anonymous + Math.max(0, field("RssShmem:"));
  }

  private static long field(String name) {
    if (!Files.isReadable(STATUS)) {
      return -1;
    }
    try {
      for (String line : Files.readAllLines(STATUS)) {
        if (line.startsWith(name)) {
          return 1024 * Long.parseLong(line.replaceAll("[^0-9]", ""));
        }
      }
    } catch (IOException | NumberFormatException e) {
      return -1;
    }
    return -1;
  }
}
