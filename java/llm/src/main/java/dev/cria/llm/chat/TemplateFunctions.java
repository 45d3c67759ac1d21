package dev.cria.llm.chat;

import com.hubspot.jinjava.objects.date.StrftimeFormatter;
import java.time.ZonedDateTime;

/**
 * The functions that transformers adds to Jinja. Public because the template engine calls them by
 * reflection.
 */
public final class TemplateFunctions {
  private TemplateFunctions() {}

  /** What a template throws itself, with the sentence it wants the user to see. */
  static final class Raised extends RuntimeException {
    Raised(String message) {
      super(message);
    }
  }

  /** Ends the rendering with an error. */
  public static String raiseException(String message) {
    throw new Raised(message);
  }

  /** The present time in the given form. */
  public static String strftimeNow(String format) {
    return StrftimeFormatter.format(ZonedDateTime.now(), format);
  }
}
