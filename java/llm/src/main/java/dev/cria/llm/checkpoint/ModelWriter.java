package dev.cria.llm.checkpoint;

import dev.cria.CriaException;
import dev.cria.llm.Llama;
import dev.cria.llm.LlamaConfig;
import dev.cria.llm.LlamaConfigJson;
import dev.cria.llm.Weights;
import dev.cria.llm.lora.Adapter;
import dev.cria.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Writes a model as a Hugging Face folder: {@code config.json}, {@code generation_config.json} and
 * safetensors, in shards where it is large, with an adapter merged into it if wanted. The folder
 * appears whole or not at all.
 */
public final class ModelWriter {
  /** Most bytes of tensors in one file. */
  public static final long SHARD_BYTES = 5_000_000_000L;

  /** Puts further files, such as those of the tokenizer, into a folder that is being written. */
  public interface Extra {
    /** Writes files into {@code folder}, which exists. */
    void writeTo(Path folder) throws IOException;
  }

  private final Llama model;
  private Weights form = Weights.AS_STORED;
  private @Nullable Adapter merged;
  private @Nullable Extra extra;
  private boolean overwrite;
  private long shardBytes = SHARD_BYTES;

  private ModelWriter(Llama model) {
    this.model = model;
  }

  /** A writer that stores the model as it is in memory. */
  public static ModelWriter of(Llama model) {
    ModelWriter writer = new ModelWriter(model);
    writer.extra = model.directory().map(TokenizerCopy::new).orElse(null);
    return writer;
  }

  /**
   * The form of the stored weights. {@link Weights#AS_STORED} keeps that of the memory, but a
   * merged NF4 model becomes BF16: rounding it to NF4 again costs accuracy and must be asked for.
   */
  public ModelWriter form(Weights wanted) {
    form = wanted;
    return this;
  }

  /** Adds scale * B A to each matrix the adapter changes: in float32, matrix by matrix. */
  public ModelWriter merge(Adapter adapter) {
    adapter.checkFits(model);
    merged = adapter;
    return this;
  }

  /**
   * Also writes other files. Without this, the tokenizer files of the folder that the model was
   * loaded from are copied.
   */
  public ModelWriter with(Extra files) {
    extra = files;
    return this;
  }

  /** Whether an existing folder is replaced. */
  public ModelWriter overwrite(boolean replace) {
    overwrite = replace;
    return this;
  }

  /** Most bytes of tensors in one file. */
  public ModelWriter shardBytes(long most) {
    if (most < 1) {
      throw new CriaException("save model: shards of " + most + " bytes; at least 1 expected");
    }
    shardBytes = most;
    return this;
  }

  /** Writes the folder. */
  public void write(Path directory) {
    AtomicFolder.write(directory, overwrite, this::writeInto);
  }

  /** Writes everything into an existing folder. */
  public void writeInto(Path folder) throws IOException {
    try (ModelTensors tensors = new ModelTensors(model, form, merged)) {
      writeConfig(folder, tensors);
      List<List<StoredTensor>> shards = split(tensors.list());
      if (shards.size() == 1) {
        writeShard(shards.getFirst(), folder.resolve(HfFolder.SINGLE));
      } else {
        writeShards(shards, folder);
      }
    }
    if (extra != null) {
      extra.writeTo(folder);
    }
  }

  private void writeConfig(Path folder, ModelTensors tensors) throws IOException {
    LlamaConfig config = model.config();
    Map<String, Object> more = new LinkedHashMap<>();
    if (tensors.quantized()) {
      more.put(
          "quantization_config",
          BitsAndBytes.config(tensors.doubleQuantized(), tensors.torchType()));
    }
    LlamaConfigJson.write(config, tensors.torchType(), more, folder.resolve("config.json"));
    Map<String, Object> generation = new LinkedHashMap<>();
    config.bosId().ifPresent(id -> generation.put("bos_token_id", id));
    if (!config.eosIds().isEmpty()) {
      generation.put(
          "eos_token_id",
          config.eosIds().size() == 1 ? config.eosIds().getFirst() : config.eosIds());
    }
    config.padId().ifPresent(id -> generation.put("pad_token_id", id));
    Json.write(generation, folder.resolve("generation_config.json"));
  }

  private List<List<StoredTensor>> split(List<StoredTensor> all) {
    List<List<StoredTensor>> shards = new ArrayList<>();
    long used = 0;
    for (StoredTensor tensor : all) {
      if (shards.isEmpty() || used + tensor.bytes() > shardBytes) {
        shards.add(new ArrayList<>());
        used = 0;
      }
      shards.getLast().add(tensor);
      used += tensor.bytes();
    }
    return shards;
  }

  private static void writeShard(List<StoredTensor> tensors, Path file) {
    try (SafetensorsWriter writer = SafetensorsWriter.create(file)) {
      writer.metadata("format", "pt");
      for (StoredTensor tensor : tensors) {
        writer.declare(tensor.name(), tensor.dtype(), tensor.shape());
      }
      for (StoredTensor tensor : tensors) {
        tensor.writeTo(writer);
      }
      writer.commit();
    }
  }

  private static void writeShards(List<List<StoredTensor>> shards, Path folder) {
    Map<String, Object> places = new LinkedHashMap<>();
    long total = 0;
    for (int i = 0; i < shards.size(); i++) {
      String file = "model-%05d-of-%05d.safetensors".formatted(i + 1, shards.size());
      writeShard(shards.get(i), folder.resolve(file));
      for (StoredTensor tensor : shards.get(i)) {
        places.put(tensor.name(), file);
        total += tensor.bytes();
      }
    }
    Map<String, Object> index = new LinkedHashMap<>();
    index.put("metadata", Map.of("total_size", total));
    index.put("weight_map", places);
    Json.write(index, folder.resolve(HfFolder.INDEX));
  }
}
