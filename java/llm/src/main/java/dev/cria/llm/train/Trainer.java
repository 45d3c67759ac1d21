package dev.cria.llm.train;

import dev.cria.llm.InvalidInputException;
import dev.cria.llm.Llama;
import dev.cria.llm.chat.ChatTemplate;
import dev.cria.llm.data.DataSet;
import dev.cria.llm.data.EncodeOptions;
import dev.cria.llm.data.Encoder;
import dev.cria.llm.tokenizer.Tokenizer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Trains a model: the active adapter or, without one, all its weights. It owns the loop
 * (accumulation, clipping, schedule, evaluation, checkpoints, resume) and reports to a listener; it
 * never prints.
 *
 * <p>Same model, data, settings and seed give the same bits, for any number of threads, and after
 * an interruption and resume.
 */
public final class Trainer {
  private final Llama model;
  private final Objective objective;
  private final TrainerConfig config;
  private TrainerListener listener = new TrainerListener() {};
  private List<Item> heldOut = List.of();

  /** A trainer for one run. */
  public Trainer(Llama model, Objective objective, TrainerConfig config) {
    this.model = model;
    this.objective = objective;
    this.config = config;
  }

  /** Reports to this listener. */
  public Trainer listener(TrainerListener receiver) {
    listener = receiver;
    return this;
  }

  /** Evaluates on these items before and after training, and between as the settings say. */
  public Trainer heldOut(List<? extends Item> items) {
    heldOut = checked(items, "held-out data");
    return this;
  }

  /**
   * Runs to the end.
   *
   * @return all reports, those before an interruption included
   * @throws InvalidInputException when there is nothing to learn from
   * @throws dev.cria.CriaException when loss or gradient are not finite: the model is then what it
   *     was after the step before, and so is the newest checkpoint of that step or an earlier one
   */
  public History train(List<? extends Item> items) {
    List<Item> usable = checked(items, "training data");
    if (usable.isEmpty()) {
      throw new InvalidInputException(
          "training data", "nothing to learn from: no item has a token that counts");
    }
    try (TrainingRun run = new TrainingRun(model, objective, config, listener, usable, heldOut)) {
      return run.run();
    }
  }

  /**
   * Runs to the end on the records of a data set. They are encoded with the tokenizer and the chat
   * template of the model's folder; what is longer than the context is cut.
   *
   * @return all reports
   */
  public History train(DataSet data) {
    Tokenizer tokenizer = model.tokenizer();
    EncodeOptions options = new EncodeOptions(model.config().context(), true, true);
    Encoder encoder = new Encoder(tokenizer, template(tokenizer), options);
    return train(objective.encode(encoder, data));
  }

  private Optional<ChatTemplate> template(Tokenizer tokenizer) {
    if (model.directory().isEmpty()) {
      return Optional.empty();
    }
    try {
      return ChatTemplate.load(model.directory().get(), tokenizer);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The items the objective can learn from; those without a labelled token are left out. */
  private List<Item> checked(List<? extends Item> items, String what) {
    List<Item> usable = new ArrayList<>();
    int longest = model.config().context();
    for (Item item : items) {
      objective.check(item);
      if (longestText(item) > longest) {
        throw new InvalidInputException(
            item.origin(),
            longestText(item)
                + " tokens, the context of the model is "
                + longest
                + "; truncate or leave it out");
      }
      if (item.weight() > 0) {
        usable.add(item);
      }
    }
    if (usable.size() < items.size()) {
      listener.warning(
          what
              + ": "
              + (items.size() - usable.size())
              + " of "
              + items.size()
              + " items have no token that counts and are left out");
    }
    return usable;
  }

  private static int longestText(Item item) {
    return item instanceof PairItem pair
        ? pair.prompt().length + Math.max(pair.chosen().length, pair.rejected().length)
        : item.rows();
  }
}
