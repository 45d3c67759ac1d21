package dev.cria.internal;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LibraryCacheTest {
  private static final byte[] CONTENT = "library".getBytes(StandardCharsets.UTF_8);
  @TempDir Path folder;

  @BeforeEach
  void useFolder() {
    System.setProperty("cria.cache.dir", folder.resolve("cache").toString());
  }

  @AfterEach
  void useDefault() {
    System.clearProperty("cria.cache.dir");
  }

  @Test
  void sameContentIsWrittenOnce() throws IOException {
    Path file = LibraryCache.store(CONTENT, "lib.so");
    FileTime old = FileTime.fromMillis(1000);
    Files.setLastModifiedTime(file, old);
    assertThat(LibraryCache.store(CONTENT, "lib.so")).isEqualTo(file);
    assertThat(Files.getLastModifiedTime(file)).isEqualTo(old);
    assertThat(LibraryCache.store(new byte[] {1}, "lib.so")).isNotEqualTo(file);
  }

  @Test
  void damagedFileIsReplaced() throws IOException {
    Path file = LibraryCache.store(CONTENT, "lib.so");
    Files.write(file, new byte[] {0});
    assertThat(LibraryCache.store(CONTENT, "lib.so")).isEqualTo(file).hasBinaryContent(CONTENT);
    try (var files = Files.list(file.getParent())) {
      assertThat(files).containsExactly(file);
    }
  }
}
