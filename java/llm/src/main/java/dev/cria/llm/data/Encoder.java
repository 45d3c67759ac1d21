package dev.cria.llm.data;

import dev.cria.llm.InvalidInputException;
import dev.cria.llm.chat.ChatTemplate;
import dev.cria.llm.chat.Message;
import dev.cria.llm.tokenizer.Tokenizer;
import dev.cria.llm.train.PairItem;
import dev.cria.llm.train.TextItem;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Turns records into tokens with loss weights: all of a plain text is learned, of everything else
 * only the answers. An answer is tokenized as what follows its prompt, so that the prompt has the
 * very tokens it has when the model is used.
 */
public final class Encoder {
  private final Tokenizer tokenizer;
  private final Optional<ChatTemplate> template;
  private final EncodeOptions options;

  /** An encoder; dialogues and instructions need the template. */
  public Encoder(Tokenizer tokenizer, Optional<ChatTemplate> template, EncodeOptions options) {
    this.tokenizer = tokenizer;
    this.template = template;
    this.options = options;
  }

  /**
   * Items made from a data set.
   *
   * @param dropped how many records were left out, by reason, those the file itself lost included
   */
  public record Encoded<T>(List<T> items, Map<String, Integer> dropped) {}

  /**
   * Texts of all records for supervised training; pairs and multiple-choice questions are refused.
   */
  public Encoded<TextItem> texts(DataSet data) {
    Map<String, Integer> dropped = new LinkedHashMap<>(data.dropped());
    List<TextItem> items = new ArrayList<>();
    for (Example example : data.examples()) {
      List<TextItem> made = text(example);
      if (made.isEmpty()) {
        dropped.merge("nothing to learn is left", 1, Integer::sum);
      }
      items.addAll(made);
    }
    return new Encoded<>(List.copyOf(items), Map.copyOf(dropped));
  }

  /** Pairs of all records for preference training; other records are refused. */
  public Encoded<PairItem> pairs(DataSet data) {
    List<PairItem> items = new ArrayList<>();
    for (Example example : data.examples()) {
      if (!(example instanceof Example.PairExample pair)) {
        throw new InvalidInputException(
            example.origin(), "a pair of a chosen and a rejected answer expected");
      }
      items.add(pair(pair));
    }
    return new Encoded<>(List.copyOf(items), data.dropped());
  }

  /**
   * Texts of one record. Plain text longer than the limit goes in windows that overlap by one
   * token, so that each token but the first is learned once. Empty if no learned token is left.
   */
  public List<TextItem> text(Example example) {
    return switch (example) {
      case Example.TextExample e -> windows(e);
      case Example.PromptCompletion e -> completion(e);
      case Example.InstructionExample e -> {
        List<Message> messages =
            new ArrayList<>(template(e.origin()).instruction(e.instruction(), e.input()));
        messages.add(Message.assistant(e.output()));
        yield dialogue(Example.ChatExample.of(e.origin(), messages));
      }
      case Example.ChatExample e -> dialogue(e);
      case Example.PairExample e ->
          throw new InvalidInputException(
              e.origin(), "a preference pair, which supervised training cannot use; see cria dpo");
      case Example.ChoiceExample e ->
          throw new InvalidInputException(
              e.origin(), "a multiple-choice question, which training cannot use; see cria eval");
    };
  }

  /**
   * Tokens of one pair. The chosen answer and the rejected one both end as the template ends a
   * turn.
   */
  public PairItem pair(Example.PairExample e) {
    Tokens prompt = new Tokens();
    Tokens chosen;
    Tokens rejected;
    if (e.plain()) {
      prompt.begin();
      prompt.add(e.prompt().getFirst().content(), false, 0);
      chosen = plainAnswer(prompt, e.chosen());
      rejected = plainAnswer(prompt, e.rejected());
    } else {
      try {
        ChatTemplate chat = template(e.origin());
        String before = chat.render(e.prompt(), true);
        prompt.add(before, true, 0);
        chosen = answer(prompt, chat.answer(e.prompt(), before, e.chosen()), 1, true);
        rejected = answer(prompt, chat.answer(e.prompt(), before, e.rejected()), 1, true);
      } catch (InvalidInputException problem) {
        throw located(e.origin(), problem);
      }
    }
    int[] before = prompt.ids();
    int[] good = chosen.ids();
    int[] bad = rejected.ids();
    if (before.length == 0) {
      throw new InvalidInputException(
          e.origin(), "an empty prompt, and the tokenizer has no token that begins a text");
    }
    int longest = Math.max(good.length, bad.length);
    if (before.length + longest > options.maxLength()) {
      refuseUnlessTruncating(e.origin(), before.length + longest);
      // The prompt gives way at its start, then the answers at their end.
      int kept = Math.max(1, Math.min(before.length, options.maxLength() - longest));
      before = Arrays.copyOfRange(before, before.length - kept, before.length);
      good = Arrays.copyOf(good, Math.min(good.length, options.maxLength() - kept));
      bad = Arrays.copyOf(bad, Math.min(bad.length, options.maxLength() - kept));
    }
    return new PairItem(e.origin(), before, good, bad);
  }

  private List<TextItem> windows(Example.TextExample e) {
    Tokens all = new Tokens();
    all.begin();
    all.add(e.text(), false, 1);
    all.end(1);
    int[] ids = all.ids();
    List<TextItem> items = new ArrayList<>();
    int size = options.maxLength();
    for (int from = 0; from == 0 || from + 1 < ids.length; from += size - 1) {
      int to = Math.min(ids.length, from + size);
      if (to - from > 1) {
        items.add(TextItem.of(e.origin(), Arrays.copyOfRange(ids, from, to)));
      }
      if (options.truncate() || to == ids.length) {
        break;
      }
    }
    return items;
  }

  private List<TextItem> completion(Example.PromptCompletion e) {
    Tokens all = new Tokens();
    all.begin();
    all.add(e.prompt(), false, 0);
    all.add(e.completion(), false, 1);
    all.end(1);
    return item(e.origin(), all);
  }

  private List<TextItem> dialogue(Example.ChatExample e) {
    for (int i = 0; i < e.messages().size(); i++) {
      if (e.weights().get(i) > 0 && !e.messages().get(i).isAssistant()) {
        throw new InvalidInputException(
            e.origin(),
            "message "
                + i
                + " of role "
                + e.messages().get(i).role()
                + " has a loss weight; only the assistant's are learned");
      }
    }
    Tokens all = new Tokens();
    try {
      List<ChatTemplate.Segment> segments = template(e.origin()).segments(e.messages());
      for (int i = 0; i < segments.size(); i++) {
        ChatTemplate.Segment segment = segments.get(i);
        if (segment.message() < 0) {
          all.add(segment.text(), true, 0);
        } else {
          float weight = e.weights().get(segment.message());
          all.addAll(answer(all, segment.text(), weight, i == segments.size() - 1));
        }
      }
    } catch (InvalidInputException problem) {
      throw located(e.origin(), problem);
    }
    return item(e.origin(), all);
  }

  /**
   * Tokens of an answer that follows {@code before}. It ends with the last special token in its
   * text, the mark of the template; without one it ends with its last character that is no space,
   * and EOS. What comes after that is not learned, and left out where nothing follows.
   */
  private Tokens answer(Tokens before, String text, float weight, boolean last) {
    Tokens whole = before.following();
    whole.add(text, true, weight);
    int end = whole.count;
    while (end > 0 && !tokenizer.isSpecial(whole.ids[end - 1])) {
      end--;
    }
    if (end > 0) {
      for (int i = end; i < whole.count; i++) {
        whole.weights[i] = 0;
      }
      whole.count = last ? end : whole.count;
      return whole;
    }
    Tokens answer = before.following();
    answer.add(text.stripTrailing(), true, weight);
    answer.end(weight);
    if (!last) {
      answer.add(text.substring(text.stripTrailing().length()), true, 0);
    }
    return answer;
  }

  private Tokens plainAnswer(Tokens prompt, String text) {
    Tokens answer = prompt.following();
    answer.add(text, false, 1);
    answer.end(1);
    return answer;
  }

  private List<TextItem> item(String origin, Tokens all) {
    int count = all.count;
    if (count > options.maxLength()) {
      refuseUnlessTruncating(origin, count);
      count = options.maxLength();
    }
    TextItem item =
        new TextItem(origin, Arrays.copyOf(all.ids, count), Arrays.copyOf(all.weights, count));
    return item.weight() > 0 ? List.of(item) : List.of();
  }

  private void refuseUnlessTruncating(String origin, int length) {
    if (!options.truncate()) {
      throw new InvalidInputException(
          origin,
          length
              + " tokens, "
              + options.maxLength()
              + " allowed; use --truncate or a larger --max-length");
    }
  }

  private ChatTemplate template(String origin) {
    return template.orElseThrow(
        () ->
            new InvalidInputException(
                origin,
                "a dialogue or instruction needs a chat template, and the model has none; use --template chatml, alpaca or vicuna"));
  }

  private static InvalidInputException located(String origin, InvalidInputException problem) {
    return problem.where().equals(origin)
        ? problem
        : new InvalidInputException(origin, String.valueOf(problem.getMessage()), problem);
  }

  /** Growing ids with their loss weights. */
  private final class Tokens {
    private int[] ids = new int[64];
    private float[] weights = new float[64];
    private int count;

    /**
     * Whether ordinary text stands before these tokens, so that text goes on without a dummy space.
     */
    private boolean continues;

    /** Empty tokens that will stand after these. */
    Tokens following() {
      Tokens next = new Tokens();
      next.continues = count > 0 ? !tokenizer.isSpecial(ids[count - 1]) : continues;
      return next;
    }

    void begin() {
      if (tokenizer.addsBos() && tokenizer.bosId().isPresent()) {
        add(tokenizer.bosId().getAsInt(), 0);
      }
    }

    void end(float weight) {
      if (options.appendEos() && tokenizer.eosId().isPresent()) {
        add(tokenizer.eosId().getAsInt(), weight);
      }
    }

    void add(String text, boolean parseSpecial, float weight) {
      boolean goesOn = following().continues;
      int[] more =
          goesOn
              ? tokenizer.encodeContinuation(text, parseSpecial)
              : tokenizer.encode(text, parseSpecial);
      for (int id : more) {
        add(id, weight);
      }
    }

    void addAll(Tokens more) {
      for (int i = 0; i < more.count; i++) {
        add(more.ids[i], more.weights[i]);
      }
    }

    void add(int id, float weight) {
      if (count == ids.length) {
        ids = Arrays.copyOf(ids, count * 2);
        weights = Arrays.copyOf(weights, count * 2);
      }
      ids[count] = id;
      weights[count++] = weight;
    }

    int[] ids() {
      return Arrays.copyOf(ids, count);
    }
  }
}
