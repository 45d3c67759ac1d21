package dev.cria.llm.chat;

import com.hubspot.jinjava.el.JinjavaInterpreterResolver;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import jinjava.javax.el.CompositeELResolver;
import jinjava.javax.el.ELContext;
import org.jspecify.annotations.Nullable;

/**
 * Gives the strings of a template the methods of Python's {@code str} that templates of real models
 * call.
 */
final class PythonMethods extends CompositeELResolver {
  PythonMethods() {
    add(JinjavaInterpreterResolver.DEFAULT_RESOLVER_READ_ONLY);
  }

  @Override
  public @Nullable Object invoke(
      ELContext context,
      @Nullable Object base,
      @Nullable Object method,
      Class<?> @Nullable [] types,
      Object @Nullable [] args) {
    if (base instanceof CharSequence text && method != null && args != null) {
      Object result = call(text.toString(), method.toString(), args);
      if (result != null) {
        context.setPropertyResolved(true);
        return result;
      }
    }
    return super.invoke(context, base, method, types, args);
  }

  private static @Nullable Object call(String text, String method, Object[] args) {
    String first = args.length > 0 ? String.valueOf(args[0]) : "";
    boolean characters = args.length > 0 && args[0] != null;
    return switch (method) {
      case "strip" -> strip(text, characters ? first : null, true, true);
      case "lstrip" -> strip(text, characters ? first : null, true, false);
      case "rstrip" -> strip(text, characters ? first : null, false, true);
      case "startswith" -> text.startsWith(first);
      case "endswith" -> text.endsWith(first);
      case "lower" -> text.toLowerCase(Locale.ROOT);
      case "upper" -> text.toUpperCase(Locale.ROOT);
      case "title" -> title(text);
      case "capitalize" ->
          text.isEmpty()
              ? text
              : text.substring(0, 1).toUpperCase(Locale.ROOT)
                  + text.substring(1).toLowerCase(Locale.ROOT);
      case "replace" -> args.length == 2 ? text.replace(first, String.valueOf(args[1])) : null;
      case "split" -> split(text, characters ? first : null, limit(args));
      case "removeprefix" -> text.startsWith(first) ? text.substring(first.length()) : text;
      case "removesuffix" ->
          text.endsWith(first) ? text.substring(0, text.length() - first.length()) : text;
      case "find" -> (long) text.indexOf(first);
      case "count" -> (long) split(text, first, Integer.MAX_VALUE).size() - 1;
      default -> null;
    };
  }

  private static int limit(Object[] args) {
    int most = args.length > 1 && args[1] instanceof Number n ? n.intValue() : -1;
    return most < 0 ? Integer.MAX_VALUE : most;
  }

  /** At most {@code most} cuts; without a separator, at runs of white space. */
  private static List<String> split(String text, @Nullable String separator, int most) {
    List<String> parts = new ArrayList<>();
    if (separator == null) {
      for (String word : text.strip().split("\\s+")) {
        if (!word.isEmpty()) {
          parts.add(word);
        }
      }
      return parts;
    }
    if (separator.isEmpty()) {
      throw new IllegalArgumentException("split by an empty separator");
    }
    int at = 0;
    for (int next = text.indexOf(separator);
        next >= 0 && parts.size() < most;
        next = text.indexOf(separator, at)) {
      parts.add(text.substring(at, next));
      at = next + separator.length();
    }
    parts.add(text.substring(at));
    return parts;
  }

  private static String strip(
      String text, @Nullable String characters, boolean left, boolean right) {
    int from = 0;
    int to = text.length();
    while (left && from < to && goes(text.charAt(from), characters)) {
      from++;
    }
    while (right && to > from && goes(text.charAt(to - 1), characters)) {
      to--;
    }
    return text.substring(from, to);
  }

  private static boolean goes(char c, @Nullable String characters) {
    return characters == null
        ? Character.isWhitespace(c) || Character.isSpaceChar(c) || c == '\u0085'
        : characters.indexOf(c) >= 0;
  }

  private static String title(String text) {
    StringBuilder out = new StringBuilder();
    boolean start = true;
    for (char c : text.toCharArray()) {
      out.append(start ? Character.toTitleCase(c) : Character.toLowerCase(c));
      start = !Character.isLetter(c);
    }
    return out.toString();
  }
}
