package dev.cria.llm.chat;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.filter.AdvancedFilter;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * The filter {@code tojson} with the spaces that Python's {@code json.dumps} writes, and its {@code
 * indent}.
 */
final class PythonJson implements AdvancedFilter {
  @Override
  public String getName() {
    return "tojson";
  }

  @Override
  public Object filter(
      @Nullable Object value,
      JinjavaInterpreter interpreter,
      Object[] args,
      Map<String, Object> named) {
    Object indent = named.getOrDefault("indent", args.length > 0 ? args[0] : null);
    StringBuilder out = new StringBuilder();
    write(value, indent instanceof Number n ? n.intValue() : -1, 0, out);
    return out.toString();
  }

  private static void write(@Nullable Object value, int indent, int depth, StringBuilder out) {
    if (value instanceof Map<?, ?> map) {
      String separator = "{";
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        item(separator, indent, depth + 1, out);
        out.append(JsonMapper.shared().writeValueAsString(String.valueOf(entry.getKey())))
            .append(": ");
        write(entry.getValue(), indent, depth + 1, out);
        separator = ",";
      }
      end(separator.equals("{") ? "{}" : "}", indent, depth, out);
    } else if (value instanceof Iterable<?> list) {
      String separator = "[";
      for (Object element : list) {
        item(separator, indent, depth + 1, out);
        write(element, indent, depth + 1, out);
        separator = ",";
      }
      end(separator.equals("[") ? "[]" : "]", indent, depth, out);
    } else {
      Object plain = value instanceof CharSequence text ? text.toString() : value;
      out.append(JsonMapper.shared().writeValueAsString(plain));
    }
  }

  private static void item(String separator, int indent, int depth, StringBuilder out) {
    out.append(separator);
    if (indent >= 0) {
      out.append('\n').append(" ".repeat(indent * depth));
    } else if (separator.equals(",")) {
      out.append(' ');
    }
  }

  private static void end(String close, int indent, int depth, StringBuilder out) {
    if (indent >= 0 && close.length() == 1) {
      out.append('\n').append(" ".repeat(indent * depth));
    }
    out.append(close);
  }
}
