package dev.cria.cli;

import dev.cria.llm.InvalidInputException;
import dev.cria.llm.checkpoint.AtomicFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The output folder of a training command. Nothing in it is touched before the run begins. */
record TrainingFolder(Path path) {
  Path adapter() {
    return path.resolve("adapter");
  }

  Path model() {
    return path.resolve("model");
  }

  Path checkpoints() {
    return path.resolve("checkpoints");
  }

  Path run() {
    return path.resolve("run.json");
  }

  Path metrics() {
    return path.resolve("metrics.jsonl");
  }

  Path report() {
    return path.resolve("report.html");
  }

  /** Throws where a run could not write, or would replace what is not to be replaced. */
  void check(boolean overwrite, boolean resume) {
    if (Files.exists(path) && !Files.isDirectory(path)) {
      throw new InvalidInputException(path.toString(), "is a file; a folder is needed");
    }
    if (!resume) {
      try {
        AtomicFolder.checkAbsent(path, overwrite);
      } catch (InvalidInputException e) {
        throw new InvalidInputException(
            path.toString(),
            "exists already; choose another --out, or use --overwrite or --resume",
            e);
      }
    }
    checkWritable(path);
  }

  /** Throws unless the nearest folder above that exists can be written to. */
  static void checkWritable(Path target) {
    Path folder = target.toAbsolutePath().normalize();
    while (folder != null && !Files.exists(folder)) {
      folder = folder.getParent();
    }
    if (folder == null || !Files.isDirectory(folder) || !Files.isWritable(folder)) {
      throw new InvalidInputException(
          target.toString(),
          "cannot be written: "
              + (folder == null || Files.isDirectory(folder)
                  ? "no permission in " + folder
                  : folder + " is a file"));
    }
  }

  /** Makes the folder; with {@code fresh} removes what a run before left in it. */
  void begin(boolean fresh) throws IOException {
    try {
      Files.createDirectories(path);
    } catch (IOException e) { // some file systems say so only now
      throw new InvalidInputException(path.toString(), "cannot be written: " + e, e);
    }
    removeRemains(path);
    if (fresh) {
      for (Path old : List.of(adapter(), model(), checkpoints())) {
        if (Files.isDirectory(old)) {
          AtomicFolder.remove(old);
        }
      }
      for (Path old : List.of(run(), metrics(), report())) {
        Files.deleteIfExists(old);
      }
    } else if (Files.isDirectory(checkpoints())) {
      removeRemains(checkpoints());
    }
  }

  /** Folders that a killed run was about to write or remove. */
  private static void removeRemains(Path folder) throws IOException {
    List<Path> remains;
    try (Stream<Path> list = Files.list(folder)) {
      remains =
          list.filter(p -> p.getFileName().toString().startsWith(AtomicFolder.TEMPORARY))
              .filter(Files::isDirectory)
              .toList();
    }
    for (Path path : remains) {
      AtomicFolder.remove(path);
    }
  }
}
