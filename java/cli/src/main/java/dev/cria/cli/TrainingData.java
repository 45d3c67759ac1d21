package dev.cria.cli;

import dev.cria.llm.InvalidInputException;
import dev.cria.llm.chat.ChatTemplate;
import dev.cria.llm.data.DataSet;
import dev.cria.llm.data.EncodeOptions;
import dev.cria.llm.data.Encoder;
import dev.cria.llm.data.Example;
import dev.cria.llm.tokenizer.Tokenizer;
import dev.cria.llm.train.Item;
import dev.cria.llm.train.PairItem;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeSet;

/**
 * The items of a training run.
 *
 * @param items to learn from
 * @param heldOut to evaluate on
 * @param dropped records left out, by reason
 */
record TrainingData(List<Item> items, List<Item> heldOut, Map<String, Integer> dropped) {
  /** Turns one record into the items of a kind of training. */
  interface Kind {
    /** Items of the record; none if nothing in it can be learned. */
    List<? extends Item> items(Encoder encoder, Example example);
  }

  private interface Maker {
    List<? extends Item> items(Example example);
  }

  /** Reads and encodes everything a run needs. */
  static TrainingData load(
      TrainingSettings settings,
      Tokenizer tokenizer,
      Optional<ChatTemplate> template,
      int context,
      Kind kind)
      throws IOException {
    Integer given = settings.maxLength();
    int longest = given == null ? context : given;
    if (longest > context) {
      throw new InvalidInputException(
          "--max-length", longest + " is more than the context of the model, " + context);
    }
    EncodeOptions options = new EncodeOptions(longest, settings.truncate(), settings.appendEos());
    EncodeOptions whole =
        new EncodeOptions(Integer.MAX_VALUE, settings.truncate(), settings.appendEos());
    Encoder windows = new Encoder(tokenizer, template, options);
    Encoder records = settings.dropLong() ? new Encoder(tokenizer, template, whole) : windows;
    // Plain text is never too long: it goes in windows.
    Maker encode =
        example -> kind.items(example instanceof Example.TextExample ? windows : records, example);
    Map<String, Integer> dropped = new LinkedHashMap<>();
    List<Item> items = items(Path.of(settings.data()), encode, longest, dropped);
    List<Item> heldOut = new ArrayList<>();
    String evalData = settings.evalData();
    if (evalData != null) {
      heldOut.addAll(items(Path.of(evalData), encode, longest, dropped));
    }
    if (settings.holdOut() > 0) {
      if (settings.holdOut() >= items.size()) {
        throw new InvalidInputException(
            settings.data(),
            items.size() + " usable records; --hold-out " + settings.holdOut() + " leaves none");
      }
      heldOut.addAll(take(items, settings.holdOut(), settings.seed()));
    }
    return new TrainingData(items, heldOut, dropped);
  }

  private static List<Item> items(Path file, Maker maker, int longest, Map<String, Integer> dropped)
      throws IOException {
    DataSet data = DataSet.load(file);
    data.dropped().forEach((reason, count) -> dropped.merge(reason, count, Integer::sum));
    List<Item> items = new ArrayList<>();
    for (Example example : data.examples()) {
      List<? extends Item> made = maker.items(example);
      if (made.isEmpty()) {
        dropped.merge("nothing to learn is left", 1, Integer::sum);
      }
      for (Item item : made) {
        if (length(item) > longest) {
          dropped.merge("longer than " + longest + " tokens", 1, Integer::sum);
        } else {
          items.add(item);
        }
      }
    }
    if (items.isEmpty()) {
      throw new InvalidInputException(
          file.toString(), "no record can be used; left out: " + dropped);
    }
    return items;
  }

  /** Tokens of a text, or of the prompt and the longer answer of a pair. */
  private static int length(Item item) {
    return item instanceof PairItem pair
        ? pair.prompt().length + Math.max(pair.chosen().length, pair.rejected().length)
        : item.rows();
  }

  /** Takes {@code count} items, drawn by the seed, out of the list; both keep their order. */
  private static List<Item> take(List<Item> items, int count, long seed) {
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < items.size(); i++) {
      order.add(i);
    }
    Collections.shuffle(order, new Random(seed));
    List<Item> taken = new ArrayList<>();
    TreeSet<Integer> places = new TreeSet<>(order.subList(0, count));
    for (int place : places) {
      taken.add(items.get(place));
    }
    for (int place : places.descendingSet()) {
      items.remove(place);
    }
    return taken;
  }
}
