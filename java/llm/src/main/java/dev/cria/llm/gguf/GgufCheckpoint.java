package dev.cria.llm.gguf;

import dev.cria.llm.InvalidInputException;
import dev.cria.llm.LlamaConfig;
import dev.cria.llm.RopeScaling;
import dev.cria.llm.RotaryRows;
import dev.cria.llm.TensorSource;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/** A LLaMA model in a GGUF file, seen with the names and the row order of a Hugging Face folder. */
public final class GgufCheckpoint implements TensorSource {
  private static final String ROPE_FACTORS = "rope_freqs.weight";

  private final GgufFile file;
  private final LlamaConfig config;
  private final Map<String, GgufTensor> tensors = new LinkedHashMap<>();

  private GgufCheckpoint(GgufFile file) {
    this.file = file;
    String architecture = file.string("general.architecture").orElse("absent");
    if (!architecture.equals("llama")) {
      throw bad("general.architecture is " + architecture + "; only llama is supported");
    }
    boolean tied = mapNames();
    config = readConfig(tied);
    checkShapes();
  }

  /** Opens a file and checks that it holds a whole LLaMA model. */
  public static GgufCheckpoint open(Path path) throws IOException {
    GgufFile file = GgufFile.open(path);
    boolean done = false;
    try {
      GgufCheckpoint result = new GgufCheckpoint(file);
      done = true;
      return result;
    } finally {
      if (!done) {
        file.close();
      }
    }
  }

  /** Shape and constants from the metadata. */
  public LlamaConfig config() {
    return config;
  }

  /** The file itself, for its tokenizer and chat template. */
  public GgufFile file() {
    return file;
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(tensors.keySet());
  }

  @Override
  public long[] shape(String name) {
    return tensor(name).shape();
  }

  @Override
  public void readRows(String name, long row0, long rows, MemorySegment destination) {
    GgufTensor tensor = tensor(name);
    if (!name.endsWith("q_proj.weight") && !name.endsWith("k_proj.weight")) {
      file.readRows(tensor, row0, rows, destination);
      return;
    }
    long bytes = tensor.columns() * 4L;
    for (long row = 0; row < rows; row++) {
      long source = RotaryRows.interleavedRow(row0 + row, config.headDim());
      file.readRows(tensor, source, 1, destination.asSlice(row * bytes, bytes));
    }
  }

  @Override
  public void close() {
    file.close();
  }

  private GgufTensor tensor(String name) {
    GgufTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw bad("there is no tensor " + name);
    }
    return tensor;
  }

  /** Fills {@link #tensors}; returns whether the head is the embedding. */
  private boolean mapNames() {
    for (GgufTensor tensor : file.tensors().values()) {
      if (!tensor.name().equals(ROPE_FACTORS)) {
        tensors.put(huggingFaceName(tensor.name()), tensor);
      }
    }
    GgufTensor head = tensors.get("lm_head.weight");
    GgufTensor embedding = tensors.get("model.embed_tokens.weight");
    // Some writers store the head of a tied model a second time.
    if (head != null && embedding != null && file.sameContent(head, embedding)) {
      tensors.remove("lm_head.weight");
      return true;
    }
    return head == null;
  }

  private String huggingFaceName(String name) {
    switch (name) {
      case "token_embd.weight" -> {
        return "model.embed_tokens.weight";
      }
      case "output_norm.weight" -> {
        return "model.norm.weight";
      }
      case "output.weight" -> {
        return "lm_head.weight";
      }
      default -> {}
    }
    String[] parts = name.split("\\.", 3);
    if (parts.length == 3 && parts[0].equals("blk") && parts[1].matches("0|[1-9][0-9]{0,4}")) {
      String inner =
          switch (parts[2]) {
            case "attn_norm.weight" -> "input_layernorm.weight";
            case "ffn_norm.weight" -> "post_attention_layernorm.weight";
            case "attn_q.weight" -> "self_attn.q_proj.weight";
            case "attn_k.weight" -> "self_attn.k_proj.weight";
            case "attn_v.weight" -> "self_attn.v_proj.weight";
            case "attn_output.weight" -> "self_attn.o_proj.weight";
            case "ffn_gate.weight" -> "mlp.gate_proj.weight";
            case "ffn_up.weight" -> "mlp.up_proj.weight";
            case "ffn_down.weight" -> "mlp.down_proj.weight";
            default -> "";
          };
      if (!inner.isEmpty()) {
        return "model.layers." + parts[1] + "." + inner;
      }
    }
    throw bad("tensor " + name + " is not part of a LLaMA model");
  }

  private LlamaConfig readConfig(boolean tied) {
    int heads = number("llama.attention.head_count");
    int hidden = number("llama.embedding_length");
    int headDim = file.id("llama.attention.key_length").orElse(heads > 0 ? hidden / heads : 0);
    int rotary = file.id("llama.rope.dimension_count").orElse(headDim);
    if (rotary != headDim) {
      throw bad(
          "llama.rope.dimension_count is " + rotary + ", the head width " + headDim + " expected");
    }
    double theta = file.number("llama.rope.freq_base").orElse(10_000);
    OptionalInt eos = file.id("tokenizer.ggml.eos_token_id");
    return new LlamaConfig(
        hidden,
        number("llama.feed_forward_length"),
        number("llama.block_count"),
        heads,
        file.id("llama.attention.head_count_kv").orElse(heads),
        headDim,
        Math.toIntExact(tensor("model.embed_tokens.weight").rows()),
        number("llama.context_length"),
        file.number("llama.attention.layer_norm_rms_epsilon")
            .orElseThrow(() -> bad("llama.attention.layer_norm_rms_epsilon is absent")),
        theta,
        tied,
        file.id("tokenizer.ggml.bos_token_id"),
        eos.isPresent() ? List.of(eos.getAsInt()) : List.of(),
        file.id("tokenizer.ggml.padding_token_id"),
        scaling(headDim, theta),
        0.02);
  }

  private Optional<RopeScaling> scaling(int headDim, double theta) {
    String type = file.string("llama.rope.scaling.type").orElse("none");
    GgufTensor factors = file.tensors().get(ROPE_FACTORS);
    if (factors != null) {
      return Optional.of(llama3(factors, headDim, theta));
    }
    return switch (type) {
      case "none" -> Optional.empty();
      case "linear" ->
          Optional.of(
              new RopeScaling.Linear(
                  file.number("llama.rope.scaling.factor")
                      .orElseThrow(() -> bad("llama.rope.scaling.factor is absent"))));
      default ->
          throw bad("rope scaling of type " + type + " is not supported; linear and llama3 are");
    };
  }

  /**
   * The file stores the outcome of the LLaMA 3.1 rule, one divisor per frequency; the published
   * constants are tried.
   */
  private RopeScaling llama3(GgufTensor stored, int headDim, double theta) {
    float[] divisors = new float[stored.columns()];
    file.readRows(stored, 0, 1, MemorySegment.ofArray(divisors));
    for (double factor : new double[] {8, 32, 16, 4, 2}) {
      RopeScaling rule = new RopeScaling.Llama3(factor, 1, 4, 8192);
      boolean fits = divisors.length == headDim / 2;
      for (int j = 0; fits && j < divisors.length; j++) {
        double frequency = Math.pow(theta, -2.0 * j / headDim);
        double expected = frequency / rule.scale(frequency);
        fits = Math.abs(divisors[j] - expected) <= 1e-4 * expected;
      }
      if (fits) {
        return rule;
      }
    }
    throw bad(
        ROPE_FACTORS + " does not follow from the LLaMA 3.1 rule with its published constants");
  }

  private int number(String key) {
    return file.id(key).orElseThrow(() -> bad(key + " is absent"));
  }

  private void checkShapes() {
    List<String> missing = new ArrayList<>();
    Map<String, long[]> expected = config.tensorShapes();
    for (Map.Entry<String, long[]> entry : expected.entrySet()) {
      GgufTensor tensor = tensors.get(entry.getKey());
      if (tensor == null) {
        missing.add(entry.getKey());
      } else if (!java.util.Arrays.equals(tensor.shape(), entry.getValue())) {
        throw bad(
            "tensor "
                + tensor.name()
                + " has shape "
                + java.util.Arrays.toString(tensor.shape())
                + ", "
                + java.util.Arrays.toString(entry.getValue())
                + " expected");
      }
    }
    if (!missing.isEmpty()) {
      throw bad(missing.size() + " tensors are missing, the first is " + missing.getFirst());
    }
    for (String name : tensors.keySet()) {
      if (!expected.containsKey(name)) {
        throw bad("tensor " + name + " lies outside the " + config.layers() + " layers");
      }
    }
  }

  private InvalidInputException bad(String problem) {
    return new InvalidInputException(file.name(), problem);
  }
}
