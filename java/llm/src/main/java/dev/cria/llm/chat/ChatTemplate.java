package dev.cria.llm.chat;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.LegacyOverrides;
import com.hubspot.jinjava.interpret.RenderResult;
import com.hubspot.jinjava.interpret.TemplateError;
import com.hubspot.jinjava.lib.fn.ELFunctionDefinition;
import dev.cria.llm.InvalidInputException;
import dev.cria.llm.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Turns a dialogue into the text a model was trained on, by a Jinja template rendered as
 * transformers does it (blocks trimmed, {@code raise_exception}, {@code strftime_now}). What a
 * template uses and this cannot do is an error, never missing text.
 */
public final class ChatTemplate {
  private static final long MAX_OUTPUT = 64L << 20;
  private static final Jinjava ENGINE = engine();

  private final String name;
  private final String source;
  private final String prepared;
  private final String bos;
  private final String eos;

  private ChatTemplate(String name, String source, String bos, String eos) {
    this.name = name;
    this.source = source;
    this.bos = bos;
    this.eos = eos;
    this.prepared = TemplateSource.prepare(name, source);
  }

  /**
   * A template given as Jinja text; {@code name} stands in errors, {@code bos} and {@code eos} are
   * the token texts.
   */
  public static ChatTemplate of(String name, String jinja, String bos, String eos) {
    return new ChatTemplate(name, jinja, bos, eos);
  }

  /** A template of a model, with the special tokens of its tokenizer. */
  public static ChatTemplate of(String name, String jinja, Tokenizer tokenizer) {
    String bos = tokenizer.bosId().isPresent() ? tokenizer.piece(tokenizer.bosId().getAsInt()) : "";
    return new ChatTemplate(name, jinja, bos, eos(tokenizer));
  }

  /** One of {@link NamedTemplates}; begins with BOS where the tokenizer begins texts with it. */
  public static ChatTemplate named(String name, Tokenizer tokenizer) {
    boolean begins = tokenizer.addsBos() && tokenizer.bosId().isPresent();
    String bos = begins ? tokenizer.piece(tokenizer.bosId().getAsInt()) : "";
    return new ChatTemplate(name, NamedTemplates.jinja(name), bos, eos(tokenizer));
  }

  /**
   * The template in a model folder, if it has one: {@code chat_template.jinja} or {@code
   * tokenizer_config.json}.
   */
  public static Optional<ChatTemplate> load(Path folder, Tokenizer tokenizer) throws IOException {
    return source(folder).map(jinja -> of(folder.toString(), jinja, tokenizer));
  }

  /** Jinja text of the template in a model folder, if it has one. */
  public static Optional<String> source(Path folder) throws IOException {
    Path own = folder.resolve("chat_template.jinja");
    if (Files.isRegularFile(own)) {
      return Optional.of(Files.readString(own));
    }
    Path config = folder.resolve("tokenizer_config.json");
    if (!Files.isRegularFile(config)) {
      return Optional.empty();
    }
    try {
      JsonNode template =
          JsonMapper.shared().readTree(Files.readAllBytes(config)).path("chat_template");
      if (template.isArray()) {
        // Several named templates: the one for ordinary chat is called default.
        for (JsonNode entry : template) {
          if (entry.path("name").asString("").equals("default")) {
            return Optional.of(entry.path("template").asString(""));
          }
        }
      }
      return template.isString() ? Optional.of(template.stringValue()) : Optional.empty();
    } catch (JacksonException e) {
      throw new InvalidInputException(
          config.toString(), "not valid JSON: " + e.getOriginalMessage(), e);
    }
  }

  /** The Jinja text. */
  public String source() {
    return source;
  }

  /** Name or origin, for messages. */
  public String name() {
    return name;
  }

  /**
   * Text of a dialogue.
   *
   * @param addGenerationPrompt whether the text ends with what stands before an answer of the model
   */
  public String render(List<Message> messages, boolean addGenerationPrompt) {
    if (messages.isEmpty()) {
      throw new InvalidInputException("chat template " + name, "a dialogue without messages");
    }
    List<Map<String, Object>> turns = new ArrayList<>();
    for (Message message : messages) {
      Map<String, Object> turn = new LinkedHashMap<>();
      turn.put("role", message.role());
      turn.put("content", message.content());
      turns.add(turn);
    }
    Map<String, Object> variables = new LinkedHashMap<>();
    variables.put("messages", turns);
    variables.put("bos_token", bos);
    variables.put("eos_token", eos);
    variables.put("add_generation_prompt", addGenerationPrompt);
    RenderResult result = ENGINE.renderForResult(prepared, variables);
    if (!result.getErrors().isEmpty()) {
      throw failure(result.getErrors());
    }
    return result.getOutput();
  }

  /**
   * Messages of a task in the form that this template's model knows; {@code input} may be empty.
   */
  public List<Message> instruction(String instruction, String input) {
    return source.equals(NamedTemplates.jinja(NamedTemplates.ALPACA))
        ? NamedTemplates.alpaca(instruction, input)
        : List.of(Message.user(input.isEmpty() ? instruction : instruction + "\n" + input));
  }

  /**
   * A stretch of a rendered dialogue.
   *
   * @param message index of the assistant message that it answers with, or -1 for text that is
   *     given
   */
  public record Segment(String text, int message) {}

  /**
   * The rendered dialogue cut into given text and the model's turns. A turn reaches from the end of
   * the generation prompt to where the next turn begins, so it includes its end-of-turn mark and
   * any white space after it. This needs a template that only ever appends; another is refused.
   */
  public List<Segment> segments(List<Message> messages) {
    String all = render(messages, false);
    List<Segment> segments = new ArrayList<>();
    int at = 0;
    for (int i = 0; i < messages.size(); i++) {
      if (!messages.get(i).isAssistant()) {
        continue;
      }
      if (i == 0) {
        throw new InvalidInputException(
            "chat template " + name, "a dialogue that begins with the assistant");
      }
      String before = render(messages.subList(0, i), true);
      String after = i + 1 == messages.size() ? all : render(messages.subList(0, i + 1), false);
      if (before.length() < at || !after.startsWith(before) || !all.startsWith(after)) {
        throw new InvalidInputException(
            "chat template " + name,
            "its text of "
                + (i + 1)
                + " messages does not begin with its text of "
                + i
                + ", so the model's turns cannot be told from the rest; use --template chatml, alpaca or vicuna");
      }
      if (before.length() > at) {
        segments.add(new Segment(all.substring(at, before.length()), -1));
      }
      segments.add(new Segment(after.substring(before.length()), i));
      at = after.length();
    }
    if (at < all.length()) {
      segments.add(new Segment(all.substring(at), -1));
    }
    return segments;
  }

  /**
   * What an answer adds to a rendered prompt: the text after {@code rendered}, with the mark that
   * ends the turn and any white space after it.
   *
   * @param rendered {@code render(prompt, true)}
   */
  public String answer(List<Message> prompt, String rendered, String answer) {
    List<Message> all = new ArrayList<>(prompt);
    all.add(Message.assistant(answer));
    String after = render(all, false);
    if (!after.startsWith(rendered)) {
      throw new InvalidInputException(
          "chat template " + name,
          "its text with an answer does not begin with its text of the prompt; use --template chatml, alpaca or vicuna");
    }
    return after.substring(rendered.length());
  }

  private InvalidInputException failure(List<TemplateError> errors) {
    for (TemplateError error : errors) {
      for (Throwable cause = error.getException(); cause != null; cause = cause.getCause()) {
        if (cause instanceof TemplateFunctions.Raised raised) {
          return new InvalidInputException(
              "chat template " + name, String.valueOf(raised.getMessage()), raised);
        }
      }
    }
    TemplateError first = errors.getFirst();
    return new InvalidInputException(
        "chat template " + name,
        "line "
            + first.getLineno()
            + ": "
            + first.getMessage()
            + "; a named template may be used instead");
  }

  private static String eos(Tokenizer tokenizer) {
    return tokenizer.eosId().isPresent() ? tokenizer.piece(tokenizer.eosId().getAsInt()) : "";
  }

  private static Jinjava engine() {
    LegacyOverrides likeJinja =
        LegacyOverrides.newBuilder()
            .withUseNaturalOperatorPrecedence(true)
            .withParseWhitespaceControlStrictly(true)
            .withUseTrimmingForNotesAndExpressions(true)
            .withKeepNullableLoopValues(true)
            .withHandleBackslashInQuotesOnly(true)
            .withUsePyishObjectMapper(true)
            .withIterateOverMapKeys(true)
            .build();
    Jinjava engine =
        new Jinjava(
            JinjavaConfig.newBuilder()
                // TemplateSource trims: the engine strips white space before a block that is not
                // alone on its line.
                .withKeepTrailingNewline(true)
                // Text of a dialogue that looks like a template must stay text.
                .withNestedInterpretationEnabled(false)
                .withMaxOutputSize(MAX_OUTPUT)
                .withElResolver(new PythonMethods())
                .withLegacyOverrides(likeJinja)
                .build());
    engine.getGlobalContext().registerFilter(new PythonJson());
    try {
      engine
          .getGlobalContext()
          .registerFunction(
              new ELFunctionDefinition(
                  "",
                  "raise_exception",
                  TemplateFunctions.class.getMethod("raiseException", String.class)));
      engine
          .getGlobalContext()
          .registerFunction(
              new ELFunctionDefinition(
                  "",
                  "strftime_now",
                  TemplateFunctions.class.getMethod("strftimeNow", String.class)));
    } catch (NoSuchMethodException e) {
      throw new AssertionError(e);
    }
    return engine;
  }
}
