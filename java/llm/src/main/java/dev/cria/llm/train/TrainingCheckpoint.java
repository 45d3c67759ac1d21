package dev.cria.llm.train;

import dev.cria.Tensor;
import dev.cria.llm.InvalidInputException;
import dev.cria.llm.Llama;
import dev.cria.llm.checkpoint.AtomicFolder;
import dev.cria.llm.checkpoint.FloatBytes;
import dev.cria.llm.checkpoint.Json;
import dev.cria.llm.lora.Adapter;
import dev.cria.llm.lora.PeftFolder;
import dev.cria.nn.Parameter;
import dev.cria.optim.AdamW;
import dev.cria.safetensors.SafetensorsFile;
import dev.cria.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/**
 * The state of a run on the disk, one folder {@code checkpoint-N} for the state after step N:
 * trained weights, optimiser, what the objective remembers, and the reports so far. A folder has
 * that name only once it is whole and flushed.
 */
final class TrainingCheckpoint {
  private static final String PREFIX = "checkpoint-";
  private static final String STATE = "state.json";
  private static final String WEIGHTS = "weights.safetensors";
  private static final String ADAPTER = "adapter_model.safetensors";
  private static final String OPTIMIZER = "optimizer.safetensors";
  private static final String OBJECTIVE = "objective.safetensors";
  private static final long VERSION = 1;

  private TrainingCheckpoint() {}

  /** What must be the same in a run that goes on. */
  record Identity(String settings, String model, String data) {}

  /** The newest whole checkpoint in a folder. */
  static Optional<Path> newest(Path directory) {
    List<Path> all = all(directory);
    return all.isEmpty() ? Optional.empty() : Optional.of(all.getLast());
  }

  /** Step after which a checkpoint was made. */
  static long step(Path checkpoint) {
    return Long.parseLong(checkpoint.getFileName().toString().substring(PREFIX.length()));
  }

  private static List<Path> all(Path directory) {
    if (!Files.isDirectory(directory)) {
      return List.of();
    }
    try (Stream<Path> list = Files.list(directory)) {
      return list.filter(p -> p.getFileName().toString().matches(PREFIX + "\\d{1,18}"))
          .filter(Files::isDirectory)
          .sorted(Comparator.comparingLong(TrainingCheckpoint::step))
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Writes the state after a step and removes all but the newest {@code keep} checkpoints. */
  static Path write(
      Path directory,
      int keep,
      long step,
      Identity identity,
      Llama model,
      AdamW optimizer,
      Map<String, float[]> objective,
      History history)
      throws IOException {
    Path target = directory.resolve(PREFIX + step);
    AtomicFolder.write(
        target,
        true,
        folder -> {
          Adapter adapter = model.activeAdapter();
          if (adapter != null) {
            PeftFolder.writeInto(adapter, folder, null);
          } else {
            Map<String, Tensor> weights = new LinkedHashMap<>();
            model.parameters().forEach((name, p) -> weights.put(name, p.value()));
            writeTensors(folder.resolve(WEIGHTS), weights);
          }
          writeTensors(folder.resolve(OPTIMIZER), optimizer.state());
          if (!objective.isEmpty()) {
            writeFloats(folder.resolve(OBJECTIVE), objective);
          }
          Json.write(state(step, identity, history), folder.resolve(STATE));
        });
    List<Path> all = all(directory);
    for (Path old : all.subList(0, Math.max(0, all.size() - keep))) {
      AtomicFolder.remove(old);
    }
    return target;
  }

  private static Map<String, Object> state(long step, Identity identity, History history) {
    Map<String, Object> state = new LinkedHashMap<>();
    state.put("version", VERSION);
    state.put("step", step);
    state.put("settings", identity.settings());
    state.put("model", identity.model());
    state.put("data", identity.data());
    state.put("history", HistoryJson.toMap(history));
    return state;
  }

  private static void writeTensors(Path file, Map<String, Tensor> tensors) {
    try (SafetensorsWriter writer = SafetensorsWriter.create(file)) {
      tensors.forEach((name, t) -> writer.declare(name, t.dtype(), t.shape()));
      tensors.forEach(writer::write);
      writer.commit();
    }
  }

  private static void writeFloats(Path file, Map<String, float[]> arrays) {
    try (SafetensorsWriter writer = SafetensorsWriter.create(file)) {
      arrays.forEach((name, a) -> writer.declare(name, "F32", a.length));
      arrays.forEach((name, a) -> writer.write(name, FloatBytes.of(a)));
      writer.commit();
    }
  }

  /**
   * Takes a run back to a checkpoint.
   *
   * @return the reports so far
   * @throws InvalidInputException if it was made by another run
   */
  static History restore(
      Path checkpoint,
      Identity identity,
      Llama model,
      AdamW optimizer,
      Objective objective,
      List<Item> items,
      List<Item> heldOut) {
    Path stateFile = checkpoint.resolve(STATE);
    String where = stateFile.toString();
    JsonNode state = Json.read(stateFile);
    long version = Json.integer(state, "version", 1, Long.MAX_VALUE, where);
    if (version != VERSION) {
      throw new InvalidInputException(
          where, "version " + version + ", this program writes version " + VERSION);
    }
    same(where, "settings", Json.string(state, "settings", where), identity.settings());
    same(where, "model", Json.string(state, "model", where), identity.model());
    same(where, "data", Json.string(state, "data", where), identity.data());
    History history = HistoryJson.parse(state.get("history"), where);
    Adapter adapter = model.activeAdapter();
    try (SafetensorsFile file =
        SafetensorsFile.open(checkpoint.resolve(adapter == null ? WEIGHTS : ADAPTER))) {
      String prefix = adapter == null ? "" : PeftFolder.PREFIX;
      for (Parameter p : model.trainedParameters()) {
        p.value().copyFrom(file.data(prefix + p.name()));
      }
    }
    try (SafetensorsFile file = SafetensorsFile.open(checkpoint.resolve(OPTIMIZER))) {
      optimizer.state().forEach((name, tensor) -> tensor.copyFrom(file.data(name)));
      optimizer.setStepCount(step(checkpoint));
    }
    Map<String, float[]> remembered = new LinkedHashMap<>();
    if (Files.isRegularFile(checkpoint.resolve(OBJECTIVE))) {
      try (SafetensorsFile file = SafetensorsFile.open(checkpoint.resolve(OBJECTIVE))) {
        for (String name : file.names()) {
          remembered.put(name, FloatBytes.read(file.data(name)));
        }
      }
    }
    objective.restore(remembered, items, heldOut);
    return history;
  }

  private static void same(String where, String what, String stored, String now) {
    if (!stored.equals(now)) {
      throw new InvalidInputException(
          where,
          "made with other "
              + what
              + " and cannot be resumed: \""
              + stored
              + "\", now \""
              + now
              + "\"; use the same or another output");
    }
  }
}
