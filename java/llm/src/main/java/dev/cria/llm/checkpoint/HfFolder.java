package dev.cria.llm.checkpoint;

import dev.cria.DType;
import dev.cria.Device;
import dev.cria.Tensor;
import dev.cria.llm.InvalidInputException;
import dev.cria.llm.LlamaConfig;
import dev.cria.llm.LlamaConfigJson;
import dev.cria.nn.Nf4Matrix;
import dev.cria.safetensors.SafetensorsFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * A Hugging Face model folder, opened for reading: {@code config.json} and the tensors of {@code
 * model.safetensors} or of the shards that {@code model.safetensors.index.json} lists.
 */
public final class HfFolder implements WeightReader, AutoCloseable {
  /** Weights in one file. */
  public static final String SINGLE = "model.safetensors";

  /** List of shards. */
  public static final String INDEX = "model.safetensors.index.json";

  private final Path directory;
  private final LlamaConfig config;
  private final List<SafetensorsFile> files = new ArrayList<>();
  private final Map<String, SafetensorsFile> holders = new LinkedHashMap<>();
  private final NavigableSet<String> names = new TreeSet<>();
  private final @Nullable Device device;

  private HfFolder(Path directory, @Nullable Device device) {
    this.directory = directory;
    this.device = device;
    this.config = readConfig(directory);
    try {
      Path index = directory.resolve(INDEX);
      Path single = directory.resolve(SINGLE);
      if (Files.isRegularFile(index)) {
        openShards(index);
      } else if (Files.isRegularFile(single)) {
        SafetensorsFile file = openFile(single);
        file.names().forEach(name -> add(name, file));
      } else {
        throw new InvalidInputException(
            directory.toString(), "has neither " + SINGLE + " nor " + INDEX);
      }
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /** Opens a folder whose tensors will be read onto a device. */
  public static HfFolder open(Path directory, Device device) {
    return new HfFolder(directory, device);
  }

  /** Opens a folder to look at names, types and shapes only. */
  public static HfFolder open(Path directory) {
    return new HfFolder(directory, null);
  }

  private static LlamaConfig readConfig(Path directory) {
    if (!Files.isDirectory(directory)) {
      throw new InvalidInputException(directory.toString(), "no such model folder");
    }
    try {
      return LlamaConfigJson.read(directory.resolve("config.json"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void openShards(Path index) {
    Map<String, SafetensorsFile> opened = new LinkedHashMap<>();
    Json.object(index, "weight_map")
        .forEach(
            (name, value) -> {
              String shard = value.isString() ? value.stringValue() : "";
              // A plain file name: an index must not lead out of its folder.
              if (!shard.matches("[\\w-][\\w.-]*")) {
                throw new InvalidInputException(
                    index.toString(), "weight_map gives " + value + " for " + name);
              }
              SafetensorsFile file = opened.get(shard);
              if (file == null) {
                Path path = directory.resolve(shard);
                if (!Files.isRegularFile(path)) {
                  throw new InvalidInputException(
                      path.toString(), "missing shard, listed in " + INDEX);
                }
                file = openFile(path);
                opened.put(shard, file);
              }
              if (!file.names().contains(name)) {
                throw new InvalidInputException(
                    directory.resolve(shard).toString(),
                    "has no tensor " + name + ", which " + INDEX + " places there");
              }
              add(name, file);
            });
  }

  private SafetensorsFile openFile(Path path) {
    SafetensorsFile file = SafetensorsFile.open(path);
    files.add(file);
    return file;
  }

  private void add(String name, SafetensorsFile file) {
    holders.put(name, file);
    names.add(name);
  }

  /** Shape and constants from {@code config.json}. */
  public LlamaConfig config() {
    return config;
  }

  /** Names of all stored tensors, sorted. */
  public NavigableSet<String> names() {
    return names;
  }

  /** Element type of a stored tensor as safetensors names it, for example {@code BF16}. */
  public String dtype(String name) {
    return entry(name).dtype();
  }

  /** Bytes of tensor data in all files. */
  public long dataBytes() {
    long bytes = 0;
    for (String name : names) {
      bytes += data(name).byteSize();
    }
    return bytes;
  }

  /** Whether the matrices are stored as bitsandbytes NF4. */
  public boolean quantized() {
    return names.stream().anyMatch(name -> name.endsWith(BitsAndBytes.STATE_NF4));
  }

  /**
   * Checks that every tensor of the shape in {@code config.json} is there with the right shape and
   * a type that can be read; of NF4 matrices that their codes and state are there.
   *
   * @throws InvalidInputException naming the first that is not
   */
  public void checkTensors() {
    config.tensorShapes().forEach(this::checkTensor);
  }

  private void checkTensor(String name, long[] shape) {
    NavigableSet<String> siblings = siblings(name);
    if (siblings.isEmpty() || shape.length == 1) {
      dtype(name, shape);
    } else {
      BitsAndBytes.parts(this, name, siblings, shape[0], shape[1]);
    }
  }

  /** The type of a dense tensor that must have this shape. */
  private DType dtype(String name, long[] shape) {
    SafetensorsFile.Entry entry = entry(name);
    DType dtype =
        switch (entry.dtype()) {
          case "F32" -> DType.F32;
          case "BF16" -> DType.BF16;
          case "F16" -> DType.F16;
          default ->
              throw new InvalidInputException(
                  name,
                  "stored as "
                      + entry.dtype()
                      + "; F32, BF16 or F16 expected"
                      + (entry.dtype().equals("U8") ? " (or NF4 with its quant_state)" : ""));
        };
    if (!Arrays.equals(entry.shape(), shape)) {
      throw new InvalidInputException(
          name,
          "shape "
              + Arrays.toString(entry.shape())
              + " in the file, but config.json needs "
              + Arrays.toString(shape));
    }
    return dtype;
  }

  @Override
  public Tensor dense(String name, long... shape) {
    Tensor tensor = Tensor.empty(device(), dtype(name, shape), shape);
    tensor.copyFrom(data(name));
    return tensor;
  }

  @Override
  public @Nullable Nf4Matrix nf4(String name, long rows, long columns) {
    NavigableSet<String> siblings = siblings(name);
    if (siblings.isEmpty()) {
      return null;
    }
    return Nf4Matrix.of(device(), BitsAndBytes.parts(this, name, siblings, rows, columns));
  }

  /** What bitsandbytes stores beside the codes of a matrix. */
  private NavigableSet<String> siblings(String name) {
    return names.subSet(name + ".", true, name + "/", false);
  }

  MemorySegment data(String name) {
    return holder(name).data(name);
  }

  SafetensorsFile.Entry entry(String name) {
    return holder(name).entry(name);
  }

  private SafetensorsFile holder(String name) {
    SafetensorsFile file = holders.get(name);
    if (file == null) {
      throw new InvalidInputException(directory.toString(), "missing tensor " + name);
    }
    return file;
  }

  private Device device() {
    if (device == null) {
      throw new IllegalStateException("folder was opened without a device");
    }
    return device;
  }

  @Override
  public void close() {
    files.forEach(SafetensorsFile::close);
    files.clear();
  }
}
