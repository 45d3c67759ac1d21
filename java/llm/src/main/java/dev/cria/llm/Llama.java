package dev.cria.llm;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Device;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.autograd.Checkpoint;
import dev.cria.autograd.Ops;
import dev.cria.autograd.Tape;
import dev.cria.llm.checkpoint.HfFolder;
import dev.cria.llm.checkpoint.RandomWeights;
import dev.cria.llm.checkpoint.SourceWeights;
import dev.cria.llm.checkpoint.WeightReader;
import dev.cria.llm.lora.Adapter;
import dev.cria.llm.tokenizer.Tokenizer;
import dev.cria.llm.tokenizer.TokenizerLoader;
import dev.cria.nn.Parameter;
import dev.cria.nn.Weight;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A LLaMA-family model in the memory of a device: its weights, and any number of adapters of which
 * each forward pass says which one is on.
 *
 * <p>Passes are differentiable: what they compute is recorded while a {@link Tape} records. Tensors
 * they return belong to the caller's {@link Scope}. A model is used by one thread at a time.
 */
public final class Llama implements AutoCloseable {
  /** Most embeddings a model may have beyond the tokens of its tokenizer. */
  public static final int PADDING = 256;

  private final LlamaConfig config;
  private final Device device;
  private final LlamaWeights weights;
  private final Map<String, Adapter> adapters = new LinkedHashMap<>();
  private @Nullable Adapter active;
  private @Nullable Path directory;
  private @Nullable Tokenizer tokenizer;
  private boolean closed;

  private Llama(LlamaConfig config, Device device, LlamaWeights weights) {
    this.config = config;
    this.device = device;
    this.weights = weights;
  }

  /**
   * Loads a Hugging Face folder: {@code config.json} and {@code model.safetensors} or its shards,
   * F32, F16, BF16 or bitsandbytes NF4.
   *
   * @param directory the folder; also where the tokenizer of the model is looked for
   * @throws InvalidInputException naming the file or tensor that is missing or wrong
   */
  public static Llama load(Path directory, Device device, Weights form) {
    try (HfFolder folder = HfFolder.open(directory, device)) {
      // Before the weights, which may take long to read.
      Tokenizer tokenizer = tokenizer(directory);
      if (tokenizer != null) {
        checkSize(tokenizer, folder.config(), directory.toString());
      }
      Llama model = of(folder.config(), device, form, folder);
      model.directory = directory;
      model.tokenizer = tokenizer;
      return model;
    }
  }

  /**
   * A model with random weights: matrices normal with mean 0 and deviation {@link
   * LlamaConfig#initializerRange}, gains 1. Each weight depends on the seed and its name only. The
   * NF4 model is the quantised BF16 model of the same seed.
   */
  public static Llama init(LlamaConfig config, Device device, Weights form, long seed) {
    return of(config, device, form, new RandomWeights(config, device, form, seed));
  }

  /** A model with the weights of another checkpoint format. The source is not closed. */
  public static Llama from(LlamaConfig config, TensorSource source, Device device, Weights form) {
    return of(config, device, form, new SourceWeights(source, device));
  }

  /** A model with the weights that a reader gives, which may be anything. */
  public static Llama of(LlamaConfig config, Device device, Weights form, WeightReader reader) {
    return new Llama(config, device, LlamaWeights.read(config, device, form, reader));
  }

  /** Shape and constants of the model. */
  public LlamaConfig config() {
    return config;
  }

  /** Where the weights are. */
  public Device device() {
    return device;
  }

  /** The folder the model was loaded from, if it was. */
  public Optional<Path> directory() {
    return Optional.ofNullable(directory);
  }

  /**
   * The tokenizer of the model.
   *
   * @throws InvalidInputException if its folder has none and none was set
   */
  public Tokenizer tokenizer() {
    if (tokenizer == null) {
      throw new InvalidInputException(
          directory == null ? "model" : directory.toString(),
          "no tokenizer: neither tokenizer.model nor tokenizer.json is there");
    }
    return tokenizer;
  }

  /** Whether {@link #tokenizer} has something to give. */
  public boolean hasTokenizer() {
    return tokenizer != null;
  }

  /** Gives the model a tokenizer, which must have as many tokens as the model has embeddings. */
  public void setTokenizer(Tokenizer value) {
    checkSize(value, config, "tokenizer");
    tokenizer = value;
  }

  private static @Nullable Tokenizer tokenizer(Path directory) {
    if (!Files.isRegularFile(directory.resolve("tokenizer.model"))
        && !Files.isRegularFile(directory.resolve("tokenizer.json"))) {
      return null;
    }
    try {
      return TokenizerLoader.load(directory);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Throws unless a tokenizer and a model belong together. Embeddings may have been padded to a
   * round number: up to {@value #PADDING} rows more than tokens are accepted.
   */
  public static void checkSize(Tokenizer tokenizer, LlamaConfig config, String where) {
    int tokens = tokenizer.vocabSize();
    if (tokens > config.vocab() || config.vocab() - tokens > PADDING) {
      throw new InvalidInputException(
          where,
          "the tokenizer has "
              + tokens
              + " tokens, the model "
              + config.vocab()
              + " embeddings; they do not belong together");
    }
  }

  /** All dense parameters by Hugging Face name, in the order of the model; a tied head once. */
  public Map<String, Parameter> parameters() {
    return weights.parameters();
  }

  /**
   * The matrices of the blocks by module path, for example {@code model.layers.0.mlp.up_proj}, in
   * the order of the model.
   */
  public Map<String, Weight> linears() {
    return weights.linears();
  }

  /** Whether the matrices of the blocks are NF4. */
  public boolean quantized() {
    return weights.linears().values().iterator().next() instanceof Weight.Nf4;
  }

  /** Output head [V,C]; the embedding itself in a tied model. */
  public Weight.Dense head() {
    return weights.head();
  }

  /** Bytes of device memory that the weights take, adapters apart. */
  public long byteSize() {
    return weights.byteSize();
  }

  // ------------------------------------------------------------------ adapters

  /** Adds an adapter, which the model now owns, and switches it on; replaces one of that name. */
  public void attach(Adapter adapter) {
    adapter.checkFits(this);
    Adapter old = adapters.put(adapter.name(), adapter);
    if (old != null && old != adapter) {
      old.close();
    }
    active = adapter;
  }

  /** Switches on the attached adapter of this name, or the bare model for null. */
  public void activate(@Nullable String name) {
    if (name == null) {
      active = null;
      return;
    }
    Adapter adapter = adapters.get(name);
    if (adapter == null) {
      throw new CriaException(
          "activate adapter: no \"" + name + "\"; attached are " + adapters.keySet());
    }
    active = adapter;
  }

  /** The attached adapters by name. */
  public Map<String, Adapter> adapters() {
    return Collections.unmodifiableMap(adapters);
  }

  /** The adapter that is on for generation, evaluation and training, null for the bare model. */
  public @Nullable Adapter activeAdapter() {
    return active;
  }

  /** A pass without dropout with the active adapter. */
  public ForwardContext inference() {
    return ForwardContext.inference(active);
  }

  /**
   * What training changes: the parameters of the active adapter or, without one, every weight.
   *
   * @throws CriaException when there is no adapter and the matrices are NF4
   */
  public List<Parameter> trainedParameters() {
    if (active != null) {
      return active.parameters();
    }
    if (quantized()) {
      throw new CriaException(
          "full training: the matrices of the model are NF4, which cannot be trained; "
              + "attach an adapter or load the model as F32 or BF16");
    }
    return new ArrayList<>(parameters().values());
  }

  // ------------------------------------------------------------------ forward

  /**
   * Runs all blocks over packed sequences.
   *
   * @return [T,C], before the final norm
   */
  public Tensor hidden(TokenBatch batch, ForwardContext context) {
    checkOpen();
    try (Scope scope = Scope.open()) {
      Tensor ids = Tensor.ofInts(device, batch.ids(), batch.rows());
      Tensor x = Ops.embedding(weights.embedding().value(), ids);
      LlamaBlock.Rotary rotary = rotary(batch.positions());
      boolean recording = Tape.recording();
      for (int i = 0; i < config.layers(); i++) {
        LlamaBlock block = weights.block(i);
        Tensor in = x;
        x =
            recording && i < context.recomputedBlocks()
                ? recomputed(block, in, batch, context)
                : inner(() -> block.forward(in, batch.sequences(), rotary, context));
        if (!recording) {
          in.close();
        }
      }
      return scope.promote(x);
    }
  }

  /**
   * Runs all blocks over the next tokens of one text.
   *
   * @param ids the tokens, which follow those already in the state
   * @return [T,C], before the final norm
   */
  public Tensor decode(int[] ids, KvState state, ForwardContext context) {
    checkOpen();
    long start = state.length();
    if (start + ids.length > config.context()) {
      throw new InvalidInputException(
          "decode",
          start + ids.length + " tokens, but the context of the model is " + config.context());
    }
    int[] positions = new int[ids.length];
    for (int i = 0; i < ids.length; i++) {
      positions[i] = (int) start + i;
    }
    try (Scope scope = Scope.open()) {
      Tensor rows = Tensor.ofInts(device, ids, ids.length);
      return scope.promote(
          decode(rows, Tensor.ofInts(device, positions, positions.length), state, context));
    }
  }

  /**
   * The same for tokens and positions on the device, which the caller has checked: what a {@link
   * dev.cria.Graph} can record.
   */
  public Tensor decode(Tensor ids, Tensor positions, KvState state, ForwardContext context) {
    checkOpen();
    try (Scope scope = Scope.open()) {
      LlamaBlock.Rotary rotary = new LlamaBlock.Rotary(positions, weights.inverseFrequencies());
      Tensor x = Ops.embedding(weights.embedding().value(), ids);
      for (int i = 0; i < config.layers(); i++) {
        LlamaBlock block = weights.block(i);
        int layer = i;
        Tensor in = x;
        x = inner(() -> block.decode(in, state.layer(layer), rotary, context));
        in.close();
      }
      return scope.promote(x);
    }
  }

  private Tensor recomputed(LlamaBlock block, Tensor in, TokenBatch batch, ForwardContext context) {
    // The second run is made when the positions of this pass are gone, so each run has its own.
    return Checkpoint.run(
        x -> block.forward(x, batch.sequences(), rotary(batch.positions()), context), in);
  }

  private LlamaBlock.Rotary rotary(int[] positions) {
    return new LlamaBlock.Rotary(
        Tensor.ofInts(device, positions, positions.length), weights.inverseFrequencies());
  }

  /** Applies the final norm to rows of {@link #hidden}: [M,C] -> [M,C]. */
  public Tensor finalNorm(Tensor rows) {
    return Ops.rmsNorm(rows, weights.finalGain().value(), (float) config.rmsEps());
  }

  /**
   * Runs the model and keeps only the rows that predict something.
   *
   * @return [L,C], after the final norm: what the losses multiply with the head
   */
  public Tensor predictingRows(ScoredBatch batch, ForwardContext context) {
    return inner(
        () -> {
          Tensor hidden = hidden(batch.tokens(), context);
          Tensor index = Tensor.ofInts(device, batch.rows(), batch.predictions());
          return finalNorm(Ops.gatherRows(hidden, index));
        });
  }

  /** Final norm and head: rows of {@link #hidden} [M,C] -> logits [M,V]. */
  public Tensor logits(Tensor rows) {
    return inner(() -> Ops.linear(finalNorm(rows), weights.head(), null, 0));
  }

  /**
   * An empty state for generation.
   *
   * @param capacity most tokens it can hold, at most the context of the model
   */
  public KvState newState(long capacity) {
    // Float32 caches where the weights are float32: then decoding equals the full pass.
    DType dtype =
        weights.embedding().value().dtype() == DType.F32 && !quantized() ? DType.F32 : DType.BF16;
    return new KvState(config, device, capacity, dtype);
  }

  /** Frees what {@code body} made, except its result and what the tape keeps. */
  private static Tensor inner(java.util.function.Supplier<Tensor> body) {
    try (Scope scope = Scope.open()) {
      return scope.promote(body.get());
    }
  }

  private void checkOpen() {
    if (closed) {
      throw new CriaException("model: already closed");
    }
  }

  /** Frees the weights and all adapters. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      adapters.values().forEach(Adapter::close);
      weights.close();
    }
  }
}
