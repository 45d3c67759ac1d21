package dev.cria.llm.generate;

import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.llm.ForwardContext;
import dev.cria.llm.InvalidInputException;
import dev.cria.llm.Keys;
import dev.cria.llm.KvState;
import dev.cria.llm.Llama;
import dev.cria.llm.tokenizer.Tokenizer;
import dev.cria.nn.Sampler;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Continues texts token by token. It keeps the keys and values of the last text, so that a longer
 * prompt that begins with it, such as the next turn of a dialogue, is not computed again.
 */
public final class Generator implements AutoCloseable {
  /** Why a text ended. */
  public enum Stop {
    /** A stop token was drawn; it is not part of the result. */
    TOKEN,
    /** The wanted number of tokens is there. */
    LENGTH,
    /** The context of the model is full. */
    CONTEXT
  }

  /**
   * A continuation.
   *
   * @param tokens the new tokens, without the stop token
   * @param stop why it ended
   * @param promptSeconds time until the prompt was read
   * @param seconds time for the new tokens
   */
  public record Result(int[] tokens, Stop stop, double promptSeconds, double seconds) {}

  private final Llama model;
  private final ForwardContext context;
  private @Nullable KvState state;
  private @Nullable TokenGraph graph;
  private boolean recordable = true;
  private int[] cached = new int[0];

  /** Generates with the active adapter of the model. */
  public Generator(Llama model) {
    this(model, model.inference());
  }

  /** Generates with the adapter that the context names. */
  public Generator(Llama model, ForwardContext context) {
    this.model = model;
    this.context = context;
  }

  /**
   * Continues a prompt.
   *
   * @param prompt at least one token and at most the context of the model
   * @param listener receives each new token at once
   */
  public Result generate(int[] prompt, GenerateOptions options, IntConsumer listener) {
    int room = model.config().context();
    if (prompt.length == 0) {
      throw new InvalidInputException("generate", "the prompt is empty; begin with BOS");
    }
    if (prompt.length > room) {
      throw new InvalidInputException(
          "generate",
          "the prompt has " + prompt.length + " tokens, the context of the model is " + room);
    }
    long begin = System.nanoTime();
    // The last token drawn needs no room of its own: nothing is predicted from it.
    long capacity = Math.min(room, (long) prompt.length + Math.max(0, options.maxTokens() - 1));
    KvState kv = prepare(prompt, capacity);
    int[] tokens = new int[Math.max(16, Math.min(options.maxTokens(), 4096))];
    int count = 0;
    double promptSeconds = 0;
    Stop stop = Stop.LENGTH;
    int[] next = Arrays.copyOfRange(prompt, (int) kv.length(), prompt.length);
    while (count < options.maxTokens()) {
      if (kv.length() + next.length > room) {
        stop = Stop.CONTEXT;
        break;
      }
      int token = step(next, kv, options);
      if (count == 0) {
        promptSeconds = (System.nanoTime() - begin) * 1e-9;
      }
      remember(next);
      if (options.stopTokens().contains(token)) {
        stop = Stop.TOKEN;
        break;
      }
      if (count == tokens.length) {
        tokens = Arrays.copyOf(tokens, 2 * count);
      }
      tokens[count++] = token;
      listener.accept(token);
      next = new int[] {token};
    }
    double seconds = (System.nanoTime() - begin) * 1e-9 - promptSeconds;
    return new Result(Arrays.copyOf(tokens, count), stop, promptSeconds, seconds);
  }

  /**
   * Continues a text greedily, until a token that ends texts or {@code maxTokens} are there. The
   * simplest use; for streaming, sampling and several texts make a generator.
   *
   * @return the continuation only
   */
  public static String text(Llama model, String prompt, int maxTokens) {
    Tokenizer tokenizer = model.tokenizer();
    int[] ids = tokenizer.encode(prompt, false);
    if (tokenizer.addsBos() && tokenizer.bosId().isPresent()) {
      ids =
          IntStream.concat(IntStream.of(tokenizer.bosId().getAsInt()), IntStream.of(ids)).toArray();
    }
    Set<Integer> stop = new HashSet<>(model.config().eosIds());
    tokenizer.eosId().ifPresent(stop::add);
    try (Generator generator = new Generator(model)) {
      GenerateOptions options = GenerateOptions.greedy(maxTokens).stopAt(stop);
      return tokenizer.decode(generator.generate(ids, options, token -> {}).tokens());
    }
  }

  /** Feeds tokens, the prompt in chunks, and draws the one that follows them. */
  private int step(int[] ids, KvState kv, GenerateOptions options) {
    int at = 0;
    while (ids.length - at > options.promptChunk()) {
      try (Scope scope = Scope.open()) {
        model.decode(Arrays.copyOfRange(ids, at, at + options.promptChunk()), kv, context);
      }
      at += options.promptChunk();
    }
    try (Scope scope = Scope.open()) {
      int[] rest = Arrays.copyOfRange(ids, at, ids.length);
      Tensor logits = rest.length == 1 ? logitsAfter(rest[0], kv) : null;
      if (logits == null) {
        Tensor hidden = model.decode(rest, kv, context);
        logits = model.logits(hidden.rows(hidden.dim(0) - 1, 1));
      }
      long key = Keys.of(options.seed(), kv.length());
      return Sampler.sample(logits, options.sampling(), key)[0];
    }
  }

  /** The logits after one more token by a graph, null where the device has none. */
  private @Nullable Tensor logitsAfter(int token, KvState kv) {
    if (graph != null && !graph.isOfThisThread()) {
      graph.close();
      graph = null;
    }
    if (graph == null && recordable) {
      graph = TokenGraph.record(model, kv, context).orElse(null);
      recordable = graph != null;
    }
    return graph == null ? null : graph.run(token);
  }

  /** Makes room for {@code capacity} tokens and keeps what is already known of the prompt. */
  private KvState prepare(int[] prompt, long capacity) {
    KvState kv = state;
    if (kv == null || kv.capacity() < capacity) {
      close();
      // Room for a while, so that a growing dialogue is not read anew at every turn.
      long room = Math.min(model.config().context(), Math.max(256, 2 * capacity));
      kv = model.newState(room);
      state = kv;
    }
    int known = 0;
    int most = Math.min(cached.length, prompt.length - 1);
    while (known < most && cached[known] == prompt[known]) {
      known++;
    }
    kv.truncate(known);
    cached = Arrays.copyOf(cached, known);
    return kv;
  }

  private void remember(int[] ids) {
    int old = cached.length;
    cached = Arrays.copyOf(cached, old + ids.length);
    System.arraycopy(ids, 0, cached, old, ids.length);
  }

  /** Frees the keys and values. */
  @Override
  public void close() {
    cached = new int[0];
    if (graph != null) {
      graph.close();
      graph = null;
    }
    if (state != null) {
      state.close();
      state = null;
    }
  }
}
