package dev.cria.cli.demo;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import tools.jackson.databind.json.JsonMapper;

/** Keeps a world as JSON lines, in the forms that {@code cria sft} and {@code cria dpo} read. */
public record WorldFiles(Path folder) {
  private static final JsonMapper JSON = JsonMapper.shared();

  /** Records with {@code text}. */
  public Path pretraining() {
    return folder.resolve("pretraining.jsonl");
  }

  /** Records with {@code instruction} and {@code output}. */
  public Path demonstrations() {
    return folder.resolve("instructions.jsonl");
  }

  /** Records with {@code prompt} (messages), {@code chosen} and {@code rejected}. */
  public Path pairs() {
    return folder.resolve("preferences.jsonl");
  }

  /** The exam, in the form of {@link #pairs}. */
  public Path exam() {
    return folder.resolve("held-out-preferences.jsonl");
  }

  /** The exam with the careless teacher's answers, in the form of {@link #demonstrations}. */
  public Path taught() {
    return folder.resolve("held-out-instructions.jsonl");
  }

  /** Writes all five. */
  public void write(World world) throws IOException {
    Files.createDirectories(folder);
    lines(pretraining(), world.pretraining().stream().map(t -> Map.of("text", t)));
    lines(demonstrations(), world.demonstrations().stream().map(WorldFiles::instruction));
    lines(pairs(), world.pairs().stream().map(WorldFiles::pair));
    lines(exam(), world.exam().stream().map(WorldFiles::pair));
    lines(taught(), world.taught().stream().map(WorldFiles::instruction));
  }

  private static void lines(Path file, Stream<? extends Map<String, ?>> records)
      throws IOException {
    Files.write(file, (Iterable<String>) records.map(JSON::writeValueAsString)::iterator);
  }

  private static Map<String, Object> instruction(World.Demonstration d) {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("instruction", d.instruction());
    map.put("output", d.output());
    return map;
  }

  private static Map<String, Object> pair(World.Pair p) {
    Map<String, Object> turn = new LinkedHashMap<>();
    turn.put("role", "user");
    turn.put("content", p.instruction());
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("prompt", List.of(turn));
    map.put("chosen", p.right());
    map.put("rejected", p.wrong());
    return map;
  }
}
