package dev.cria.llm.checkpoint;

import dev.cria.llm.InvalidInputException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.stream.Stream;

/**
 * Writes a folder so that it exists whole or not at all: into a temporary sibling, flushed to the
 * disk, then renamed.
 */
public final class AtomicFolder {
  /** Begins the names of folders that are being written or removed; nobody may read them. */
  public static final String TEMPORARY = ".cria-tmp-";

  private AtomicFolder() {}

  /** Fills a folder. */
  public interface Content {
    /** Writes everything into {@code folder}, which exists and is empty. */
    void writeTo(Path folder) throws IOException;
  }

  /**
   * Writes {@code directory}.
   *
   * @param overwrite whether an existing folder or file is replaced; otherwise it is an error and
   *     nothing is written
   */
  public static void write(Path directory, boolean overwrite, Content content) {
    Path target = directory.toAbsolutePath().normalize();
    checkAbsent(directory, overwrite);
    Path parent = target.getParent();
    if (parent == null) {
      throw new InvalidInputException(directory.toString(), "cannot be written as a folder");
    }
    Path aside = null;
    try {
      Files.createDirectories(parent);
      // Not createTempDirectory: the folder keeps its permissions when it is renamed.
      String unique = ProcessHandle.current().pid() + "-" + Long.toHexString(System.nanoTime());
      aside = Files.createDirectory(parent.resolve(TEMPORARY + unique));
      content.writeTo(aside);
      flush(aside);
      Path old = null;
      if (Files.exists(target)) {
        old = parent.resolve(TEMPORARY + "old-" + aside.getFileName());
        Files.move(target, old, StandardCopyOption.ATOMIC_MOVE);
      }
      Files.move(aside, target, StandardCopyOption.ATOMIC_MOVE);
      flushOne(parent);
      if (old != null) {
        delete(old);
      }
    } catch (IOException | UncheckedIOException e) {
      tidy(aside);
      throw new InvalidInputException(directory.toString(), "cannot be written: " + e, e);
    } catch (RuntimeException | Error e) {
      tidy(aside);
      throw e;
    }
  }

  /** Throws if the path exists and may not be replaced; for checks before long work. */
  public static void checkAbsent(Path directory, boolean overwrite) {
    if (!overwrite && Files.exists(directory)) {
      boolean empty = false;
      if (Files.isDirectory(directory)) {
        try (Stream<Path> list = Files.list(directory)) {
          empty = list.findAny().isEmpty();
        } catch (IOException e) {
          throw new InvalidInputException(directory.toString(), "cannot be read: " + e, e);
        }
      }
      if (!empty) {
        throw new InvalidInputException(
            directory.toString(), "exists already; choose another output or overwrite it");
      }
    }
  }

  private static void tidy(@org.jspecify.annotations.Nullable Path aside) {
    if (aside != null) {
      try {
        delete(aside);
      } catch (IOException | UncheckedIOException e) {
        // The error that is already on its way says more; a later run ignores the remains.
        return;
      }
    }
  }

  /** Removes a folder and all in it, renaming it first so that no one sees it half gone. */
  public static void remove(Path directory) throws IOException {
    Path absolute = directory.toAbsolutePath();
    Path gone = absolute.resolveSibling(TEMPORARY + "gone-" + absolute.getFileName());
    if (Files.exists(gone)) {
      delete(gone);
    }
    Files.move(absolute, gone, StandardCopyOption.ATOMIC_MOVE);
    delete(gone);
  }

  /** Removes what writers that were killed have left in a folder that nobody else writes to. */
  public static void sweep(Path directory) throws IOException {
    List<Path> remains;
    try (Stream<Path> list = Files.list(directory)) {
      remains = list.filter(p -> p.getFileName().toString().startsWith(TEMPORARY)).toList();
    }
    for (Path path : remains) {
      delete(path);
    }
  }

  private static void delete(Path directory) throws IOException {
    if (!Files.exists(directory)) {
      return;
    }
    Files.walkFileTree(
        directory,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(
              Path folder, @org.jspecify.annotations.Nullable IOException problem)
              throws IOException {
            Files.delete(folder);
            return FileVisitResult.CONTINUE;
          }
        });
  }

  private static void flush(Path folder) throws IOException {
    List<Path> all;
    try (Stream<Path> walk = Files.walk(folder)) {
      all = walk.toList();
    }
    for (Path path : all) {
      flushOne(path);
    }
  }

  private static void flushOne(Path path) throws IOException {
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }
}
